import json
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nybble.export.card import escaped, public_recipe, write_card
from nybble.recipe import Recipe, load_recipe
from nybble.runs.atomic import write_json_lines

TOKEN = "hf_" + "A1b2" * 8
MERGED = {"dtype": "bfloat16", "n": 200, "texts_equal": 197,
          "kl_nats": {"value": 4.7e-6, "low": 4.1e-6, "high": 5.6e-6}}  # fmt: skip


def card(folder, merged=None, name="me/adapter") -> str:
    return write_card(folder, load_recipe(str(folder.recipe)), name, merged)


def front(text: str) -> dict:
    return yaml.safe_load(text.split("---\n")[1])


def block(text: str, language: str) -> str:
    found = re.search(rf"^(`{{3,}}){language}\n(.*?)\n\1$", text, re.DOTALL | re.MULTILINE)
    assert found
    return found[2]


def test_the_front_matter_is_what_the_hub_reads(make_run) -> None:
    folder = make_run("model.base=meta-llama/Llama-3.2-1B", "data.train=owner/rows:full#train")
    assert front(card(folder)) == {
        "base_model": "meta-llama/Llama-3.2-1B",
        "library_name": "peft",
        "pipeline_tag": "text-generation",
        "tags": ["nybble", "lora", "qlora"],
        "datasets": ["owner/rows"],
    }
    assert front(card(folder, MERGED))["library_name"] == "transformers"


def test_what_is_not_on_the_hub_is_not_named_as_if_it_were(make_run) -> None:
    fields = front(card(make_run("model.quantization=none")))
    assert not fields.keys() & {"base_model", "datasets", "license"}
    assert fields["tags"] == ["nybble", "lora"]


def test_every_result_has_its_interval_and_n(make_run) -> None:
    text = card(make_run())
    table = [line for line in text.splitlines() if line.startswith("| ") and "---" not in line]
    rows = table[1:]
    assert len(rows) == 3
    for row in rows:
        *_, value, _, n, _ = re.split(r"(?<!\\)\|", row)
        assert re.fullmatch(r" [\d.]+ \\\[[\d.]+, [\d.]+\\\] ", value)
        assert n == " 1,234 "
    assert "tuned minus this" in table[0] and "-108 \\[-116, -100\\]" in rows[1]
    assert "better" in text and "read 2 times" in text


def test_what_it_was_trained_on(make_run) -> None:
    text = card(make_run())
    assert "18,500 rows" in text and "574,857 tokens" in text and "37,000 of them scored" in text
    assert "torch 2.13.0" in text and "numpy" not in text


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("train.batch_size=4", "with 4 rows per step"),
        ("train.batch_tokens=4096", "with at most 4,096 tokens per step"),
    ],
)
def test_steps_are_told_in_the_unit_that_they_were_made_by(make_run, override, told) -> None:
    assert told in card(make_run(override))


def test_a_run_that_was_not_judged_says_so_and_has_no_number(make_run) -> None:
    folder = make_run()
    folder.comparison.unlink()
    text = card(folder)
    assert "was not judged" in text
    assert "15.5" not in text


def test_the_merged_models_card_says_how_it_was_checked(make_run) -> None:
    text = card(make_run(), MERGED)
    assert "197 of 200 greedy texts" in text and "n = 200" in text
    code = block(text, "python")
    assert "PeftModel" not in code and "BitsAndBytes" not in code and "bfloat16" in code


def test_the_recipe_is_there_in_full(make_run) -> None:
    folder = make_run("lora.r=64")
    assert yaml.safe_load(block(card(folder), "yaml")) == yaml.safe_load(folder.recipe.read_text())


def test_no_local_path_and_no_token_is_published(make_run) -> None:
    home = "/home/alice/secret-project"
    folder = make_run(
        f"model.base={home}/model", f"data.train={home}/rows.jsonl", "data.test=~/bob/test.csv",
        f"summary=made with {TOKEN}",
    )  # fmt: skip
    text = card(folder)
    for secret in ("alice", "secret-project", "bob/", TOKEN):
        assert secret not in text
    assert "rows.jsonl" in text and "test.csv" in text
    assert "base_model" not in front(text)


def test_a_local_path_keeps_its_last_name() -> None:
    recipe = load_recipe("price-demo", ["model.base=./models/mine/", "data.train=a/b.jsonl"])
    public = public_recipe(recipe)
    assert (public.model.base, public.data.train) == ("mine", "b.jsonl")
    assert public_recipe(load_recipe("price-demo", [])) == load_recipe("price-demo", [])


@pytest.mark.parametrize(
    "summary", ["</code><script>alert(1)</script>", "```\nout", "---\nlicense: mit", "# x [a](b) |"]
)
def test_nothing_in_a_recipe_breaks_out_of_the_card(make_run, summary) -> None:
    folder = make_run()
    recipe = load_recipe(str(folder.recipe)).model_copy(update={"summary": summary})
    text = write_card(folder, Recipe.model_validate(recipe.model_dump()), "me/x")
    outside = text.replace(block(text, "yaml"), "").replace(block(text, "python"), "")
    assert "<script>" not in outside and "license" not in front(text)
    assert yaml.safe_load(block(text, "yaml"))["summary"] == summary
    assert [line for line in outside.splitlines() if line.startswith("# ")] == ["# price-demo"]


@given(st.text())
def test_escaped_text_is_one_line_without_markup(text: str) -> None:
    shown = escaped(text)
    assert len(shown.splitlines()) <= 1
    assert not re.search(r"(?<!\\)(?:\\\\)*[`*_\[\]<>|#]", shown)
    plain = shown.replace("&lt;", "<").replace("&gt;", ">")
    if not set(text) & {"&"}:
        assert re.sub(r"\\(.)", r"\1", plain) == " ".join(text.split())


def test_a_name_with_markup_stays_in_its_cell(make_run) -> None:
    assert "| a\\|b &lt;c&gt; |" in card(make_run())


def test_no_folder_is_made_for_a_card(make_run) -> None:
    folder = make_run()
    before = sorted(map(str, folder.path.rglob("*")))
    card(folder)
    assert sorted(map(str, folder.path.rglob("*"))) == before
    assert json.loads(Path(folder.comparison).read_text())["n"] == 1234


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (("evaluate.decode=greedy",), "answers decoded by greedy."),
        (("evaluate.decode=greedy", "evaluate.temperature=0.7"), "sampled at temperature 0.7."),
    ],
)
def test_it_says_how_the_models_were_asked(make_run, overrides, said):
    folder = make_run(*overrides)
    recipe = load_recipe(str(folder.recipe))
    assert said in write_card(folder, recipe, "me/tiny").replace("\\", "")


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (("train.num_train_epochs=3", "train.max_steps=-1"), "scored, for 3 epochs."),
        (("train.num_train_epochs=3", "train.max_steps=4000"), "scored, for 4,000 steps."),
    ],
)
def test_how_long_it_was_trained_is_what_was_asked(make_run, overrides, told) -> None:
    assert told in card(make_run(*overrides))


def test_a_training_that_ended_early_says_where_and_which_step_was_the_best(make_run) -> None:
    folder = make_run("train.load_best_model_at_end=true")
    lines = [{"step": 29, "loss": 2.0}, {"step": 30, "validation_loss": 3.0}]
    write_json_lines(folder.metrics, lines)
    assert "It ended after step 30." in card(folder)
    write_json_lines(folder.metrics, [*lines, {"step": 30, "adapter_step": 28}])
    told = "It ended after step 30; this is what step 28 had made, the best by validation\\_loss."
    assert told in card(folder)
    assert "It ended" not in write_card(folder, load_recipe(str(folder.recipe)), "me/x", step=20)
