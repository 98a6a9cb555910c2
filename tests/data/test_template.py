import pytest
from hypothesis import given
from hypothesis import strategies as st

from nybble.data.template import parse_template
from nybble.runs.errors import InputError

NAMES = st.text("abcXYZ_ é-", min_size=1, max_size=6)
NUMBER_SPECS = st.sampled_from(["", ".0f", ".2f", "08.3f", ",.1f", "e", "+", "%"])
TEXT_SPECS = st.sampled_from(["", "10", ">8", "*^12", ".3", "s"])
CELLS = st.one_of(
    st.tuples(st.text(max_size=8), TEXT_SPECS),
    st.tuples(st.floats(-1e9, 1e9) | st.integers(-(10**9), 10**9), NUMBER_SPECS),
)


@given(
    cells=st.dictionaries(NAMES, CELLS, min_size=1, max_size=4),
    literals=st.lists(st.text(max_size=6), min_size=5, max_size=5),
)
def test_filling_is_what_format_does(cells, literals):
    escaped = [text.replace("{", "{{").replace("}", "}}") for text in literals]
    fields = [f"{{{name}:{spec}}}" if spec else f"{{{name}}}" for name, (_, spec) in cells.items()]
    source = "".join(a + b for a, b in zip(escaped, fields, strict=False)) + escaped[-1]
    row = {name: value for name, (value, _) in cells.items()}
    assert parse_template(source, "data.prompt").fill(row, "row 1") == source.format(**row)


@given(name=NAMES, value=st.text() | st.integers())
def test_a_bare_name_is_a_column(name, value):
    assert parse_template(name, "data.prompt").fill({name: value}, "row 1") == str(value)


def test_columns_are_listed_in_order():
    assert parse_template("{b} and {a:.2f}: {b}", "data.prompt").columns == ("b", "a", "b")


@pytest.mark.parametrize(
    "source",
    ["{a.b}", "{a[0]}", "{a!r}", "{a!s:>3}", "{a:{b}}", "{a:>{b}}", "{}", "{:.2f}",
     "{a.__class__.__init__.__globals__}", "ok {a} then {b[x]}"],
)  # fmt: skip
def test_anything_but_plain_columns_is_refused(source):
    with pytest.raises(InputError, match="is not a plain column") as caught:
        parse_template(source, "data.completion")
    assert caught.value.message.startswith(f"data.completion = {source!r}: ")


@pytest.mark.parametrize("source", ["{a", "a}", "{a}}", "{a!}", "{"])
def test_unbalanced_braces_are_refused(source):
    with pytest.raises(InputError, match=r"^data\.prompt = "):
        parse_template(source, "data.prompt")


@pytest.mark.parametrize("source", ["{{a}}", "}}{{"])
def test_a_template_without_a_column_is_refused(source):
    with pytest.raises(InputError, match="names no column"):
        parse_template(source, "data.prompt")


@pytest.mark.parametrize("row", [{"text": "x", "title": "y"}, {"text": "x", "price": None}])
def test_a_row_without_the_column_is_named_with_what_it_has(row):
    with pytest.raises(InputError) as caught:
        parse_template("{text} {price:.0f}", "data.prompt").fill(row, "items.jsonl: row 7")
    assert caught.value.message.startswith("items.jsonl: row 7 has no 'price' (it has text")
    assert "'{text} {price:.0f}'" in caught.value.fix


@pytest.mark.parametrize("value", ["cheap", b"3"])
def test_a_value_that_does_not_fit_its_format_is_named(value):
    with pytest.raises(InputError, match=r"^row 7: price = .* does not fit \{price:\.0f\}"):
        parse_template("{price:.0f}", "data.completion").fill({"price": value}, "row 7")


@pytest.mark.parametrize("value", [0, 0.0, False, ""])
def test_nought_and_empty_are_values(value):
    assert parse_template("{a}", "data.prompt").fill({"a": value}, "row 1") == str(value)


@pytest.mark.parametrize("value", [["a"], {"role": "user"}])
def test_a_list_or_mapping_is_no_text(value):
    with pytest.raises(InputError, match="not a text"):
        parse_template("prompt", "data.prompt").fill({"prompt": value}, "rows.jsonl: row 1")


@pytest.mark.parametrize(
    ("cell", "spec", "text"),
    [("12.50", ".0f", "12"), (" 7", ".2f", "7.00"), ("1e3", ",.1f", "1,000.0"), ("12", "d", "12"),
     ("0.5", "%", "50.000000%"), ("12.50", "", "12.50"), ("abc", ".2", "ab")],
)  # fmt: skip
def test_a_cell_of_a_csv_file_takes_a_numbers_format(cell, spec, text):
    template = parse_template(f"{{price:{spec}}}" if spec else "{price}", "data.completion")
    assert template.fill({"price": cell}, "row 1") == text


@pytest.mark.parametrize("cell", ["", "dear", "nan", "inf", "1,299.00"])
def test_a_cell_that_is_no_number_is_refused_where_one_is_formatted(cell):
    with pytest.raises(InputError, match=r"row 4: price = .* does not fit \{price:\.0f\}"):
        parse_template("{price:.0f}", "data.completion").fill({"price": cell}, "row 4")
