import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nybble.recipe import catalogue_names, catalogue_text, dump_recipe, load_recipe
from nybble.recipe.evaluate_part import EvaluatePart
from nybble.recipe.load import parse_recipe
from nybble.recipe.refusal import RENAMED
from nybble.recipe.schema import DataPart, LoraPart, ModelPart, Recipe, sections
from nybble.recipe.train_part import TrainPart
from nybble.recipe.train_source import KNOWN_COLUMNS, TrainSource
from nybble.runs.errors import InputError

LEAST = "name: a\nmodel: {base: b}\ndata: {train: c}\n"


def refusal(text: str, *overrides: str) -> InputError:
    with pytest.raises(InputError) as caught:
        parse_recipe(text, "mine.yaml", list(overrides))
    return caught.value


@pytest.mark.parametrize("name", catalogue_names())
def test_every_built_in_recipe_is_valid_named_after_its_file_and_has_a_summary(name):
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.summary
    assert "\n" not in recipe.summary


def test_the_demo_recipe_is_built_in():
    assert "price-demo" in catalogue_names()
    assert catalogue_names() == sorted(catalogue_names())


@pytest.mark.parametrize(
    ("asked", "near"),
    [("price-dem", "price-demo"), ("prize-demo", "price-demo"), ("mbpp_coder", "mbpp-coder")],
)
def test_an_unknown_recipe_is_refused_with_the_nearest_one(asked, near):
    with pytest.raises(InputError, match=f"No recipe is called '{asked}'") as caught:
        load_recipe(asked)
    assert caught.value.fix.startswith(f"Did you mean {near}? ")


def test_far_from_every_recipe_none_is_suggested():
    with pytest.raises(InputError) as caught:
        load_recipe("zzzzzz")
    assert "Did you mean" not in caught.value.fix
    assert "`nybble recipes`" in caught.value.fix


@pytest.mark.parametrize("name", ["../recipe/schema", "__init__", ""])
def test_only_names_of_the_catalogue_are_read_from_it(name):
    with pytest.raises(InputError):
        catalogue_text(name)


@pytest.mark.parametrize("suffix", [".yaml", ".yml", ""])
def test_a_recipe_is_read_from_a_path(tmp_path, suffix):
    path = tmp_path / f"mine{suffix}"
    path.write_text(LEAST.replace("name: a", "name: größer"[:7]), encoding="utf-8")
    assert load_recipe(str(path), ["train.seed=7"]).train.seed == 7


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"no recipe file nowhere\.yaml"):
        load_recipe("nowhere.yaml")
    with pytest.raises(InputError, match="no recipe file"):
        load_recipe(f"{tmp_path}/")


def test_a_file_in_another_encoding_is_refused(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_bytes("summary: größer".encode("latin-1"))
    with pytest.raises(InputError, match="not UTF-8 at byte 11"):
        load_recipe(str(path))


@pytest.mark.parametrize(
    ("text", "kind"),
    [("- a\n- b", "a list"), ("just words", "a text"), ("", "empty"), ("# only a comment", "empty"),
     ("5", "a value"), ("true", "a value"), ("2020-01-01", "a value")],
)  # fmt: skip
def test_what_is_not_a_mapping_is_refused_as_what_it_is(text, kind):
    error = refusal(text)
    assert error.message == f"mine.yaml: a recipe is a mapping, this is {kind}."


@pytest.mark.parametrize(
    ("text", "line"),
    [("name: a\nmodel: b: c", 2), ("name: a\n\nmodel: [1,\n", 4), ("name: a\n\tmodel: b", 2),
     ("a: 1\n---\nb: 2", 2), ("x: !!python/object:os.system {}", 1), ("a: *b", 1)],
)  # fmt: skip
def test_broken_yaml_is_refused_with_its_line(text, line):
    assert refusal(text).message.startswith(f"mine.yaml: line {line}: not YAML: ")


@pytest.mark.parametrize(
    "text", ["name: \x00", "name: 2020-99-99", "seed: 0b_", "[" * 2000, "a: {" * 2000]
)
def test_yaml_that_yaml_itself_stumbles_over_is_refused(text):
    assert refusal(text).message.startswith("mine.yaml: ")


@pytest.mark.parametrize("value", ["2020-99-99", "0b_", "[" * 2000])
def test_an_override_that_yaml_stumbles_over_is_taken_as_a_text(value):
    recipe = parse_recipe(LEAST, "s", [f"summary={value}"])
    assert recipe.summary == value


@pytest.mark.parametrize(
    ("override", "unknown", "near"),
    [
        ("trian.seed=3", "trian", "train"),
        ("nam=3", "nam", "name"),
        ("lora.rr=3", "lora.rr", "lora.r"),
        ("lora.alpha=3", "lora.alpha", "lora.lora_alpha"),
        ("train.learning_rat=1", "train.learning_rat", "train.learning_rate"),
        ("data.max_len=9", "data.max_len", "data.max_length"),
        ("batch_size=3", "batch_size", "train.batch_size"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(override, unknown, near):
    error = refusal(LEAST, override)
    assert error.message == f"mine.yaml: unknown key {unknown}."
    assert error.fix == f"Did you mean {near}?"


def test_where_nothing_is_near_the_known_keys_are_listed():
    error = refusal(LEAST, "model.zzz=1")
    assert error.fix == f"Known here: {', '.join(ModelPart.model_fields)}."


def test_an_unknown_key_is_told_before_a_wrong_value():
    assert "unknown key lora.zzz" in refusal(LEAST, "lora.r=0", "lora.zzz=1").message


@pytest.mark.parametrize("key", ["1", "null", "2.5", "true"])
@pytest.mark.parametrize("section", ["", "lora: "])
def test_a_key_that_is_not_a_text_is_an_unknown_key(section, key):
    text = f"{LEAST}{section}{{{key}: 2}}" if section else f"{LEAST}{key}: 2"
    assert "unknown key" in refusal(text).message


@pytest.mark.parametrize("old", RENAMED)
@pytest.mark.parametrize("section", ["", "train."])
def test_a_key_of_yesterday_is_refused_with_todays_name(section, old):
    error = refusal(LEAST, f"{section}{old}=1")
    assert error.message == f"mine.yaml: unknown key {section}{old}."
    assert error.fix == f"Today's name is {RENAMED[old]}."


@pytest.mark.parametrize("today", [name.split()[0].rstrip(":") for name in RENAMED.values()])
def test_todays_names_exist(today):
    if today != "nothing":
        section, field = today.split(".")
        assert field in sections()[section].model_fields


def test_the_renamed_keys_of_the_design_are_known():
    assert {"warmup_ratio", "tokenizer", "torch_dtype", "group_by_length",
            "evaluation_strategy"} <= set(RENAMED)  # fmt: skip


@pytest.mark.parametrize("override", ["lora.r", "", "=3", "lora..r=3", ".r=3", "lora.=3"])
def test_an_override_without_key_or_value_is_refused(override):
    assert "not of the form key=value" in refusal(LEAST, override).message


@pytest.mark.parametrize("override", ["name.x=3", "model.base.x=3"])
def test_an_override_below_a_field_is_refused(override):
    assert "has no fields" in refusal(LEAST, override).message


def test_a_value_may_hold_an_equals_sign():
    assert parse_recipe(LEAST, "s", ["data.prompt=a={b}"]).data.prompt == "a={b}"


def test_the_last_override_counts():
    assert parse_recipe(LEAST, "s", ["lora.r=2", "lora.r=3"]).lora.r == 3


def test_overrides_can_make_a_section_and_replace_one():
    recipe = parse_recipe("name: a", "s", ["model.base=b", "data={train: c, limit: 3}"])
    assert (recipe.model.base, recipe.data.limit) == ("b", 3)


KEY = st.text(string.ascii_letters + "._\n\u2028 '\"", max_size=12)


@given(source=st.text(), key=KEY, value=st.text(max_size=12))
def test_whatever_is_wrong_is_told_in_two_lines(source, key, value):
    try:
        parse_recipe(LEAST, source, [f"{key}={value}"])
    except InputError as error:
        assert len(str(error).splitlines()) == 2
    else:
        section, _, field = key.rpartition(".")
        part = sections()[section] if section else Recipe
        assert field in part.model_fields


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SOME_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
COUNT_OR_SOURCE = st.integers(0, 10**9) | TEXT
NOT_NEGATIVE = st.floats(0, 1e30)
SHARE = st.floats(0, 1, exclude_max=True)
WIDTHS = st.tuples(NOT_NEGATIVE, NOT_NEGATIVE).map(sorted)


@st.composite
def evaluate_parts(draw) -> EvaluatePart:
    within, share = draw(WIDTHS), draw(WIDTHS)
    return EvaluatePart(
        task=draw(st.sampled_from(["number", None])),
        size=draw(st.integers(0, 10**9)),
        decode=draw(st.sampled_from(["greedy", "median"])),
        max_new_tokens=draw(st.integers(1, 4096)),
        few_shot=draw(st.integers(0, 64)),
        extract=draw(st.sampled_from(["first", "last", r"\$\s*([0-9.]+)", "a:\n\t(é)"])),
        truth=draw(st.none() | TEXT),
        floor=draw(st.none() | TEXT),
        green_within=within[0],
        orange_within=within[1],
        green_share=share[0],
        orange_share=share[1],
    )


COLUMNS = st.dictionaries(st.sampled_from(KNOWN_COLUMNS), TEXT, max_size=2)
SOURCES = st.builds(
    TrainSource,
    source=SOME_TEXT,
    weight=st.floats(1e-9, 1e9),
    format=st.sampled_from(["auto", "prompt-completion"]),
    columns=COLUMNS,
    prompt=st.none() | TEXT,
    completion=st.none() | TEXT,
    test_completion=st.none() | TEXT,
) | st.builds(TrainSource, source=SOME_TEXT, format=st.sampled_from(["text", "alpaca", "sharegpt"]))
RECIPES = st.builds(
    Recipe,
    name=st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,79}\Z"),
    summary=TEXT,
    model=st.builds(
        ModelPart,
        base=SOME_TEXT,
        revision=TEXT,
        quantization=st.sampled_from(["nf4", "none"]),
        dtype=st.sampled_from(["auto", "float32", "bfloat16", "float16"]),
        adapter=st.none() | TEXT,
        trust_remote_code=st.booleans(),
    ),
    data=st.builds(
        DataPart,
        train=SOME_TEXT | st.lists(SOURCES, min_size=1, max_size=3),
        mixture=st.sampled_from(["up-sample", "cap"]),
        revision=TEXT,
        validation=COUNT_OR_SOURCE,
        test=COUNT_OR_SOURCE,
        limit=st.none() | st.integers(1, 10**9),
        format=st.sampled_from(["auto", "prompt-completion"]),
        prompt=st.none() | TEXT,
        completion=st.none() | TEXT,
        test_completion=st.none() | TEXT,
        columns=COLUMNS,
        score=st.sampled_from(["completion", "last", "all"]),
        max_length=st.integers(8, 10**6),
        allow_drops=st.booleans(),
    ),
    lora=st.builds(
        LoraPart,
        r=st.integers(1, 1024),
        lora_alpha=st.floats(1e-9, 1e9),
        lora_dropout=SHARE,
        target_modules=st.sampled_from(["attention", "all-linear"])
        | st.lists(TEXT, min_size=1, max_size=4),
        variant=st.sampled_from(["lora", "rslora"]),
    ),
    train=st.builds(
        TrainPart,
        num_train_epochs=st.floats(1e-9, 1e9),
        max_steps=st.just(-1) | st.integers(1, 10**9),
        batch_size=st.integers(1, 10**6),
        learning_rate=st.floats(1e-300, 1, exclude_max=True),
        lr_scheduler_type=st.sampled_from(["linear", "cosine", "constant_with_warmup"]),
        warmup_steps=NOT_NEGATIVE,
        weight_decay=SHARE,
        max_grad_norm=st.floats(1e-9, 1e9),
        eval_steps=NOT_NEGATIVE,
        save_steps=NOT_NEGATIVE,
        save_total_limit=st.integers(1, 10**6),
        seed=st.integers(0, 2**64),
    ),
    evaluate=evaluate_parts(),
)


@settings(max_examples=50)
@given(RECIPES)
def test_a_recipe_that_is_written_out_reads_back_the_same(recipe):
    assert parse_recipe(dump_recipe(recipe), "s", []) == recipe


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r", "\x85", "\u2028", "\u2029", "\x0b"])
def test_line_breaks_in_a_template_are_written_out_as_they_are(line_break):
    recipe = parse_recipe(LEAST, "s", [])
    prompt = f" a{line_break}{line_break} é{line_break}"
    recipe = recipe.model_copy(update={"data": DataPart(train="c", prompt=prompt)})
    assert parse_recipe(dump_recipe(recipe), "s", []) == recipe


def test_letters_stay_readable_when_written_out():
    assert "größer" in dump_recipe(parse_recipe(LEAST, "s", ["summary=größer"]))


@pytest.mark.parametrize("name", catalogue_names())
def test_a_built_in_recipe_written_out_reads_back_the_same(name):
    recipe = load_recipe(name)
    assert parse_recipe(dump_recipe(recipe), "s", []) == recipe
    assert parse_recipe(catalogue_text(name), "s", []) == recipe


def test_every_field_is_written_out():
    text = dump_recipe(parse_recipe(LEAST, "s", []))
    for part in (ModelPart, DataPart, LoraPart, TrainPart, EvaluatePart):
        for name in part.model_fields:
            assert f"  {name}:" in text


@pytest.mark.parametrize("key", ["lora.r", "data.limit", "train.learning_rate", "model.base"])
def test_a_switch_is_no_number(key):
    with pytest.raises(InputError, match="must not be true or false"):
        load_recipe("price-demo", [f"{key}=yes"])


def test_a_key_that_stands_twice_is_refused():
    text = "name: a\nmodel: {base: b}\ndata: {train: c}\nlora:\n  r: 1\n  r: 2\n"
    with pytest.raises(InputError, match=r"line 6: not YAML: 'r' stands twice"):
        parse_recipe(text, "mine.yaml", [])


def test_a_missing_section_names_the_field_that_is_needed():
    with pytest.raises(InputError, match=r"data\.train is missing"):
        parse_recipe("name: a\nmodel: {base: b}\n", "mine.yaml", [])


def test_a_rule_over_two_fields_does_not_print_the_section():
    with pytest.raises(InputError) as caught:
        load_recipe("price-demo", ["evaluate.orange_within=1"])
    assert "{" not in caught.value.message


@pytest.mark.parametrize("template", ["{title}", "{price:.0f}", "{title}\nPrice: $"])
def test_a_template_can_be_given_as_an_override(template):
    recipe = parse_recipe(LEAST, "s", [f"data.prompt={template}"])
    assert recipe.data.prompt == template


def test_a_section_can_still_be_given_as_a_mapping():
    assert parse_recipe(LEAST, "s", ["lora={r: 4}"]).lora.r == 4


@pytest.mark.parametrize("file", ["mine.yaml", "mine.yml", "mine"])
def test_a_recipe_file_named_without_its_suffix_is_pointed_at(tmp_path, monkeypatch, file):
    monkeypatch.chdir(tmp_path)
    (tmp_path / file).write_text(LEAST)
    with pytest.raises(InputError, match="No recipe is called 'mine'") as caught:
        load_recipe("mine")
    wanted = "./mine" if file == "mine" else file
    assert caught.value.fix == f"Did you mean the file {wanted}?"


@pytest.mark.parametrize("key", ["data.prompt", "data.completion"])
def test_a_line_break_that_the_shell_did_not_make_is_told(key):
    with pytest.raises(InputError, match="not a line break") as refused:
        load_recipe("price-demo", [key + "={title}\\nPrice: $"])
    assert "$'...\\n...'" in refused.value.fix
    for value in ("{title}\nPrice: $", '"{title}\\nPrice: $"'):
        recipe = load_recipe("price-demo", [f"{key}={value}"])
        assert getattr(recipe.data, key[5:]) == "{title}\nPrice: $"
    load_recipe("price-demo", ["evaluate.extract=(\\d+)\\n"])
