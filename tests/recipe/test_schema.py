import datetime
import json
import typing

import pytest
from pydantic import BaseModel

from nybble.recipe.load import dump_recipe, parse_recipe
from nybble.recipe.schema import Recipe, sections
from nybble.runs.errors import InputError

LEAST = "name: a\nmodel: {base: b}\ndata: {train: c}\n"

# For every field: its documented default, another value, and a value out of its range.
REQUIRED = object()
FIELDS = {
    "name": (REQUIRED, "my-run.2", "my run"),
    "summary": ("", "what it does", "[1]"),
    "model.base": (REQUIRED, "me/other", "''"),
    "model.revision": ("main", "v2", "[v2]"),
    "model.quantization": ("nf4", "none", "nf3"),
    "model.dtype": ("auto", "bfloat16", "half"),
    "model.adapter": (None, "me/adapter", "[1]"),
    "model.new_tokens": ([], ["<|call|>"], "['<|a|>', '<|a|>']"),
    "model.trust_remote_code": (False, True, "perhaps"),
    "data.train": (REQUIRED, "rows.jsonl", "''"),
    "data.revision": ("main", "v2", "[v2]"),
    "data.validation": (200, 0, "-1"),
    "data.test": (500, "test.jsonl", "-1"),
    "data.rows": (None, {"column": "id", "first": 3.0, "last": None}, "5"),
    "data.split_by": (None, "tree_id", "''"),
    "data.duplicates": ("report", "remove", "keep"),
    "data.limit": (None, 1, "0"),
    "data.format": ("auto", "messages", "chatml"),
    "data.columns": ({}, {"instruction": "question"}, "[1]"),
    "data.mixture": ("up-sample", "cap", "shuffle"),
    "data.prompt": (None, "Task: {text}", "[1]"),
    "data.completion": (None, "{price:.0f}", "[1]"),
    "data.test_completion": (None, "{price}", "[1]"),
    "data.seed": (0, 7, "-1"),
    "data.date": (None, datetime.date(2026, 11, 22), "yesterday"),
    "data.chat_template": (None, "chatml", "gemma"),
    "data.score": ("completion", "last", "first"),
    "data.max_length": (1024, 8, "7"),
    "data.max_prompt_length": (None, 64, "0"),
    "data.truncate": (None, {"field": "summary", "max_tokens": 110}, "110"),
    "data.allow_drops": (False, True, "some"),
    "lora.r": (16, 1024, "0"),
    "lora.lora_alpha": (32, 0.5, "0"),
    "lora.lora_dropout": (0.0, 0.99, "1"),
    "lora.target_modules": ("all-linear", ["q_proj", "v_proj"], "[]"),
    "lora.modules_to_save": ([], ["embed_tokens"], "embed_tokens"),
    "lora.variant": ("lora", "dora", "qlora"),
    "train.num_train_epochs": (1.0, 0.5, "0"),
    "train.max_steps": (-1, 1, "0"),
    "train.batch_size": (32, 1, "0"),
    "train.batch_tokens": (None, 4096, "0"),
    "train.learning_rate": (2e-4, 0.5, "1"),
    "train.lr_scheduler_type": ("linear", "cosine", "sine"),
    "train.warmup_steps": (0.03, 100.0, "-1"),
    "train.weight_decay": (0.0, 0.99, "1"),
    "train.adam_beta1": (0.9, 0.5, "1"),
    "train.adam_beta2": (0.999, 0.9, "1"),
    "train.adam_epsilon": (1e-8, 1e-4, "0"),
    "train.optim": ("adamw_torch_fused", "adamw_8bit", "adam"),
    "train.max_grad_norm": (1.0, 0.3, "0"),
    "train.eval_steps": (0.25, 0.0, "-0.1"),
    "train.save_strategy": ("steps", "epoch", "daily"),
    "train.save_steps": (500, 0.0, "-1"),
    "train.save_total_limit": (2, 1, "0"),
    "train.logging_steps": (1, 10, "0"),
    "train.load_best_model_at_end": (False, True, "perhaps"),
    "train.metric_for_best_model": ("validation_loss", "mae", "eval_loss"),
    "train.greater_is_better": (None, True, "perhaps"),
    "train.early_stopping_patience": (None, 3, "0"),
    "train.early_stopping_threshold": (0.0, 0.01, "-1"),
    "train.recompute": ("auto", "lean", "-1"),
    "train.memory_gb": (None, 8.0, "0"),
    "train.keep_attention": (0, 4, "-1"),
    "train.offload": (False, True, "perhaps"),
    "train.host_vocabulary": (False, True, "perhaps"),
    "train.pack_tokens": (None, 4096, "63"),
    "train.on_nan": ("stop", "skip", "ignore"),
    "train.report_to": ([], ["wandb", "tensorboard"], "[comet]"),
    "train.project": ("nybble", "prices", "''"),
    "train.run_name": (None, "first try", "''"),
    "train.seed": (42, 0, "-1"),
    "train.deterministic": (False, True, "perhaps"),
    "evaluate.task": (None, "number", "letters"),
    "evaluate.metric": (None, "chrf", "[1]"),
    "evaluate.greater_is_better": (True, False, "perhaps"),
    "evaluate.size": (500, 0, "-1"),
    "evaluate.during_training": (0, 64, "-1"),
    "evaluate.slices": ([], ["category"], "category"),
    "evaluate.choice": ("generate", "likelihood", "guess"),
    "evaluate.labels": ([], ["yes", "no"], "[yes]"),
    "evaluate.samples": (1, 10, "0"),
    "evaluate.temperature": (0.0, 0.8, "-1"),
    "evaluate.stop": ([], ["Task:"], "Task:"),
    "evaluate.timeout": (10.0, 2.5, "0"),
    "evaluate.decode": ("greedy", "median", "beam"),
    "evaluate.max_new_tokens": (16, 4096, "4097"),
    "evaluate.few_shot": (4, 0, "65"),
    "evaluate.extract": ("first", "price (.*)", "price .*"),
    "evaluate.truth": (None, "price", "[1]"),
    "evaluate.floor": (None, "fair", "[1]"),
    "evaluate.green_within": (40.0, 80.0, "-1"),
    "evaluate.green_share": (0.2, 0.0, "-1"),
    "evaluate.orange_within": (80.0, 40.0, "-1"),
    "evaluate.orange_share": (0.4, 0.5, "-1"),
    "publish.hub": (None, "me/other", "other"),
    "publish.private": (True, False, "perhaps"),
    "publish.every_save": (True, False, "some"),
}
OPTIONAL = [key for key, (default, _, _) in FIELDS.items() if default is not REQUIRED]
NUMBERS = [key for key, (default, _, _) in FIELDS.items() if isinstance(default, float)]


def field_names() -> set[str]:
    parts = sections()
    inner = {f"{name}.{key}" for name, part in parts.items() for key in part.model_fields}
    return inner | (Recipe.model_fields.keys() - parts.keys())


def value_of(recipe: Recipe, key: str):
    value = recipe
    for part in key.split("."):
        value = getattr(value, part)
    return value.model_dump() if isinstance(value, BaseModel) else value


def yaml_value(value) -> str:
    if isinstance(value, dict):
        return json.dumps({name: given for name, given in value.items() if given is not None})
    return "null" if value is None else f"'{value}'" if isinstance(value, str) else str(value)


def test_this_file_covers_every_field():
    assert field_names() == set(FIELDS)


@pytest.mark.parametrize("key", OPTIONAL)
def test_default(key):
    assert value_of(parse_recipe(LEAST, "s", []), key) == FIELDS[key][0]


@pytest.mark.parametrize("key", FIELDS)
def test_an_override_changes_this_field_and_no_other(key):
    other = FIELDS[key][1]
    recipe = parse_recipe(LEAST, "s", [f"{key}={yaml_value(other)}"])
    assert value_of(recipe, key) == other
    before = parse_recipe(LEAST, "s", [])
    changed = {k for k in FIELDS if value_of(recipe, k) != value_of(before, k)}
    assert changed == {key}


@pytest.mark.parametrize("key", FIELDS)
def test_a_value_out_of_range_is_refused_with_the_field_named(key):
    with pytest.raises(InputError) as caught:
        parse_recipe(LEAST, "mine.yaml", [f"{key}={FIELDS[key][2]}"])
    assert caught.value.message.startswith(f"mine.yaml: {key} = ")
    assert caught.value.fix


@pytest.mark.parametrize("key", NUMBERS)
@pytest.mark.parametrize("number", [".nan", ".inf", "-.inf"])
def test_numbers_are_finite(key, number):
    with pytest.raises(InputError, match=f"^s: {key} = "):
        parse_recipe(LEAST, "s", [f"{key}={number}"])


@pytest.mark.parametrize("key", FIELDS)
def test_only_name_base_and_train_are_required(key):
    required = {"name", "model.base", "data.train"}
    assert (FIELDS[key][0] is REQUIRED) == (key in required)


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("model: {base: b}\ndata: {train: c}", "name"),
        ("name: a\ndata: {train: c}", "model.base"),
        ("name: a\nmodel: {}\ndata: {train: c}", "model.base"),
        ("name: a\nmodel: {base: b}\ndata: {limit: 3}", "data.train"),
    ],
)
def test_what_is_required_and_missing_is_named(text, missing):
    with pytest.raises(InputError, match=f"^s: {missing} is missing"):
        parse_recipe(text, "s", [])


@pytest.mark.parametrize(
    ("green", "orange", "good"),
    [("40", "40", True), ("100", "80", False), ("0", "0", True)],
)
def test_orange_is_at_least_as_wide_as_green(green, orange, good):
    overrides = [f"evaluate.green_within={green}", f"evaluate.orange_within={orange}"]
    if good:
        parse_recipe(LEAST, "s", overrides)
    else:
        with pytest.raises(InputError, match="orange_within and orange_share"):
            parse_recipe(LEAST, "s", overrides)


@pytest.mark.parametrize(
    "pattern", ["(", "a|b", "(a)(b)", "[0-9]+"], ids=["broken", "none", "two", "no group"]
)
def test_extract_wants_one_group(pattern):
    with pytest.raises(InputError, match=r"evaluate\.extract"):
        parse_recipe(LEAST, "s", [f"evaluate.extract='{pattern}'"])


@pytest.mark.parametrize("name", ["../../etc", "a/b", ".hidden", "-x", "a" * 81, "é", "''"])
def test_a_name_is_safe_as_a_folder(name):
    with pytest.raises(InputError, match=r"^s: name = "):
        parse_recipe(LEAST, "s", [f"name={name}"])


def test_a_recipe_cannot_be_changed_after_it_was_checked():
    recipe = parse_recipe(LEAST, "s", [])
    with pytest.raises(ValueError, match="frozen"):
        recipe.train.seed = 7


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("data.test={column: a}", "s: data.test: first or last must be given."),
        ("data.test={column: a, frist: 3}", "s: unknown key data.test.frist."),
        ("data.test={first: 3}", "s: data.test.column is missing."),
        ("data.rows={clumn: a, first: 3}", "s: unknown key data.rows.clumn."),
        ("data.test=1.5", "s: data.test = 1.5: must be a whole number of rows, or a share"),
        ("data.test=[1]", "s: data.test = [1]: input should be a valid integer or"),
    ],
)
def test_what_is_wrong_with_a_part_is_said_of_what_was_meant(override, told):
    with pytest.raises(InputError) as caught:
        parse_recipe(LEAST, "s", [override])
    assert caught.value.message.startswith(told)


@pytest.mark.parametrize("test", ["0.1", "20", "{column: task_id, first: 11, last: 510}"])
def test_parts_survive_being_written_out(test):
    recipe = parse_recipe(LEAST, "s", [f"data.test={test}"])
    assert parse_recipe(dump_recipe(recipe), "s", []) == recipe


def test_counts_with_ambiguous_types_keep_the_type_they_were_written_in():
    assert typing.cast(str, parse_recipe(LEAST, "s", ["data.test='20'"]).data.test) == "20"
    assert parse_recipe(LEAST, "s", ["data.test=20"]).data.test == 20


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("format: messages, prompt: '{a}'", "format messages does not look at prompt"),
        ("format: sharegpt, completion: a", "format sharegpt does not look at completion"),
        ("format: alpaca, test_completion: a", "does not look at test_completion"),
        ("format: text, prompt: a", "format text does not look at prompt"),
    ],
)
def test_a_template_that_the_format_would_not_look_at_is_refused(data, told):
    for text in (f"train: c, {data}", f"train: [{{source: c, {data}}}]"):
        with pytest.raises(InputError, match=told):
            parse_recipe(f"name: a\nmodel: {{base: b}}\ndata: {{{text}}}\n", "s", [])


@pytest.mark.parametrize(
    "train", ["[]", "[1]", "[{weight: 1}]", "[{source: a, weight: 0}]", "[{source: a, wight: 1}]"]
)
def test_a_mixture_names_sources_with_weights(train):
    with pytest.raises(InputError, match=r"^s: (data\.train|unknown key)"):
        parse_recipe(LEAST, "s", [f"data.train={train}"])


def test_a_source_of_a_mixture_says_all_or_nothing_of_how_its_rows_are_read():
    plain, other = parse_recipe(
        LEAST, "s", ["data.train=[{source: a}, {source: b, weight: 2, prompt: '{q}'}]"]
    ).data.train
    assert (plain.weight, plain.reading()) == (1.0, {})
    assert other.reading() == {
        "format": "auto", "columns": {}, "prompt": "{q}", "completion": None,
        "test_completion": None,
    }  # fmt: skip


@pytest.mark.parametrize(("given", "trackers"), [("none", []), ("wandb", ["wandb"])])
def test_report_to_is_also_a_single_word(given, trackers):
    assert parse_recipe(LEAST, "s", [f"train.report_to={given}"]).train.report_to == trackers


def test_a_whole_model_is_trained_where_there_are_no_adapters():
    plain = parse_recipe(LEAST, "s", ["lora=null", "model.quantization=none"])
    assert plain.lora is None
    assert parse_recipe(dump_recipe(plain), "s", []) == plain
    for override, told in (
        ("model.quantization=int8", "those of int8 cannot be"),
        ("model.adapter=me/a", "leave out model.adapter"),
    ):
        with pytest.raises(InputError, match=told):
            parse_recipe(LEAST, "s", ["lora=null", "model.quantization=none", override])


@pytest.mark.parametrize("tokens", ["['<|a|>', '<|a|>']", "['']", "[' <|a|>']"])
def test_new_tokens_are_texts_of_their_own(tokens):
    with pytest.raises(InputError, match=r"model\.new_tokens"):
        parse_recipe(LEAST, "s", [f"model.new_tokens={tokens}"])


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        (["data.validation=0", "train.load_best_model_at_end=true"], "data.validation is 0"),
        (["data.validation=0", "train.early_stopping_patience=2"], "data.validation is 0"),
        (["train.eval_steps=0", "train.early_stopping_patience=2"], "needs train.eval_steps"),
    ],
)
def test_a_best_needs_evaluations(overrides, reason):
    with pytest.raises(InputError, match=reason):
        parse_recipe(LEAST, "s", overrides)
