import gzip
import json
import random
from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nybble.report.rows import MOST_PACKED, MOST_ROWS, columns, packed, truth_text

from .compared import BASELINE, FLOOR, RIDGE, TUNED, made_up


def unpacked(text):
    return json.loads(gzip.decompress(b64decode(text)))


def rows_of(**made):
    comparison, predictions = made_up(**made)
    return columns(predictions, comparison), comparison, predictions


def test_every_model_has_its_column_in_the_comparisons_order():
    rows, _, predictions = rows_of()
    assert rows["models"] == [TUNED, BASELINE, RIDGE, FLOOR]
    assert rows["answers"][2] is rows["answers"][3] is None
    assert rows["answers"][0] == predictions["answers"][TUNED]
    assert rows["values"][1][0] is None
    assert rows["values"][2] == pytest.approx(predictions["values"][RIDGE], rel=1e-5)
    assert rows["columns"] == {"category": ["toys", "garden", "books"] * 20}


def test_points_are_coloured_as_they_were_judged():
    rows, _, predictions = rows_of()
    for name, letters in zip(rows["models"], rows["colours"], strict=True):
        judged = [detail["colour"][0] for detail in predictions["details"][name]]
        if name == BASELINE:
            judged[0] = "-"
        assert letters == "".join(judged)
    assert set("".join(rows["colours"])) == set("gor-")
    assert rows["details"] == [None] * 4


def test_what_is_no_number_is_not_coloured():
    assert set(rows_of(task="code")[0]["colours"]) == {None}
    assert set(rows_of(task="text")[0]["colours"]) == {None}


def test_a_loss_has_scores_and_no_answers():
    rows, _, predictions = rows_of(task="loss")
    assert rows["answers"] == rows["values"] == [None] * 4
    assert rows["scores"][0] == pytest.approx(predictions["scores"][TUNED], rel=1e-5)


def test_of_programs_and_texts_only_that_they_could_be_read_is_kept():
    """They are in the page already, as answers."""
    for task in ("code", "text"):
        rows, _, _ = rows_of(task=task)
        assert rows["values"][0] == [True] * 60
        assert rows["values"][1][:2] == [None, True]
        assert rows["answers"][0][0]
    assert rows["values"][2] == ["a text, 2"] * 60  # a reference's, which has no answers


def test_packing_changes_nothing_that_fits():
    rows, _, _ = rows_of(task="code", text="é\u202e😀</script>")
    found = unpacked(packed(rows))
    assert found["cut"] == {}
    assert {key: found[key] for key in rows} == json.loads(json.dumps(rows))


def test_a_long_answer_is_cut_and_its_length_told():
    rows, _, _ = rows_of(answer="é" * 20_000)
    found = unpacked(packed(rows))
    assert set(found["cut"]) == {"answers 0", "answers 1"}
    assert set(found["cut"]["answers 0"].values()) == {20_000}
    assert {len(text) for text in found["answers"][0]} == {found["limit"]}


@pytest.mark.slow
def test_incompressible_texts_are_cut_until_they_fit():
    """Four models, 2,000 rows, and nothing that gzip could make shorter."""
    rng = random.Random(0)
    rows, _, _ = rows_of(rows=2_000, text="x")
    noise = ["".join(map(chr, (rng.randrange(0x4E00, 0x9FFF) for _ in range(1_000))))
             for _ in range(2_000)]  # fmt: skip
    rows["text"], rows["answers"] = noise, [noise[i:] + noise[:i] for i in range(4)]
    text = packed(rows)
    assert len(text) <= MOST_PACKED
    found = unpacked(text)
    assert len(found["row"]) == 2_000
    assert found["text"][7] == noise[7][: found["limit"]]


def test_more_rows_than_a_page_holds_are_thinned_evenly():
    rows, _, _ = rows_of(rows=MOST_ROWS + 500, names=(TUNED, BASELINE))
    assert rows["n"] == MOST_ROWS + 500
    assert len(rows["row"]) == len(rows["scores"][1]) == len(rows["colours"][0]) == MOST_ROWS
    assert (rows["row"][0], rows["row"][-1]) == (0, 10 * (MOST_ROWS + 499))


def test_half_a_character_is_replaced():
    rows, _, _ = rows_of(text="a\ud800b")
    assert unpacked(packed(rows))["text"][0] == "a\ufffdb 0"


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_what_is_packed_is_harmless_wherever_it_stands(text):
    rows, _, _ = rows_of(rows=3, text=text, answer=text or None, names=(TUNED, BASELINE))
    data = packed(rows)
    assert set(data) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
    assert unpacked(data)["text"][0] == f"{text} 0"


@pytest.mark.parametrize(
    ("truth", "shown"),
    [(3.25, 3.25), ("spam", "spam"), (None, None), (["a"], '["a"]'),
     ({"setup": "import re", "tests": ["assert f()", "f()"]}, "import re\nassert f()\nf()"),
     ({"setup": "", "tests": ["assert f()"]}, "assert f()"), ({"a": 1}, '{"a":1}')],
)  # fmt: skip
def test_a_truth_is_shown_as_text(truth, shown):
    assert truth_text(truth) == shown
