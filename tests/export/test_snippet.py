"""The code of a card, run as it stands: it must give the answers that were judged."""

import ast
import contextlib
import io
import json
from pathlib import Path

import pytest

from nybble.export.snippet import Source, decoder, loading_snippet
from nybble.recipe import load_recipe
from nybble.runs.atomic import write_json_lines

LOCATED = "locate_model('bundled:mini', 'main')"


def code(folder, *overrides: str, source: Source | None = None) -> str:
    recipe = load_recipe(str(folder.recipe), list(overrides))
    return loading_snippet(folder, recipe, source or Source("'me/base'", "me/adapter", "bfloat16"))


@pytest.mark.parametrize(
    ("decode", "answers", "expected"),
    [
        ("greedy", ("12", "7"), "greedy"),
        ("median", ("12", "999", "", "0"), "exact median"),
        ("median", ("12", "7.5"), "sampled median"),
        ("median", ("1200", "7"), "sampled median"),
        ("median", ("-3",), "sampled median"),
    ],
)
def test_which_decoder_was_judged(make_run, decode, answers, expected) -> None:
    folder = make_run(f"evaluate.decode={decode}", answers=answers)
    recipe = load_recipe(str(folder.recipe))
    assert decoder(folder, recipe) == expected
    ast.parse(code(folder))


def test_a_prompt_may_hold_any_kind_of_line_break(make_run) -> None:
    folder = make_run("evaluate.decode=median", answers=("12", "7"))
    lines = [{"prompt": "one\u2028two\x85three", "answer": "12"}] * 2
    write_json_lines(folder.evaluation / "tuned.jsonl", lines)
    assert decoder(folder, load_recipe(str(folder.recipe))) == "exact median"


def test_a_run_that_was_not_judged_answers_greedily(make_run) -> None:
    folder = make_run()
    (folder.evaluation / "tuned.jsonl").unlink()
    assert "do_sample=False" in code(folder)


def test_the_stop_ids_are_the_adapters(make_run) -> None:
    folder = make_run("evaluate.decode=greedy")
    (folder.adapter / "generation_config.json").write_text('{"eos_token_id": [128001, 128009]}')
    assert "eos_token_id=[128001, 128009]" in code(folder)


def test_conversations_go_through_the_chat_template(make_run) -> None:
    folder = make_run("data.format=messages", "data.prompt=null", "data.completion=null")
    assert "apply_chat_template" in code(folder) and "add_generation_prompt=True" in code(folder)


def test_a_bare_column_is_no_template(make_run) -> None:
    assert 'prompt = "..."' in code(make_run("data.prompt=question", "data.completion=answer"))


def test_a_number_in_the_prompt_is_stood_in_for_by_a_number(make_run) -> None:
    text = code(make_run("data.prompt=Cost {cost:.2f} of {title}, again {cost}: "))
    line = next(line for line in text.splitlines() if line.startswith("prompt ="))
    found: dict = {}
    exec(line, found)
    assert found["prompt"] == "Cost 0.00 of ..., again 0: "


def test_precision_and_revision_are_the_runs(make_run) -> None:
    text = code(make_run(), "model.revision=v2", "model.trust_remote_code=true")
    assert "revision='v2'" in text and "trust_remote_code=True" in text
    assert "bnb_4bit_compute_dtype=torch.bfloat16" in text and "'nf4'" in text


def test_an_unquantised_base_is_loaded_unquantised(make_run) -> None:
    assert "BitsAndBytes" not in code(make_run(), "model.quantization=none")


def run_code(text: str, row: str) -> str:
    """What the snippet prints, with `row` where it says `...`."""
    assert "'text': '...'" in text
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(text.replace("'text': '...'", f"'text': {row!r}"), "card", "exec"), {})
    return printed.getvalue().strip()


@pytest.mark.slow
@pytest.mark.parametrize("decode", ["median", "greedy"])
def test_the_code_gives_the_judged_answers(
    adapted_run, mini_model, stage, decode, monkeypatch
) -> None:
    # Some CPUs have an instruction for which bitsandbytes answers in bf16; the run is fp32.
    monkeypatch.setattr("bitsandbytes.nn.modules.has_avx512bf16", lambda: False)
    from nybble.generation.greedy import generate_answers
    from nybble.generation.median import exact_medians, number_token_ids
    from nybble.generation.sampling import Sampling

    rows = [example.columns["text"] for example in stage.prepared.splits.test[:3]]
    prompts = stage.renderer.prompt_ids([f"{row}\nPrice: $" for row in rows])
    judged = [""] * 3
    if decode == "median":
        ids = number_token_ids(stage.tokenizer)
        exact_medians(mini_model, prompts, ids, 0, 10_000, judged.__setitem__)
    else:
        sampling = Sampling(max_new_tokens=stage.recipe.evaluate.max_new_tokens)
        generate_answers(mini_model, stage.tokenizer, prompts, sampling, 10_000,
                         judged.__setitem__)  # fmt: skip
    lines = [json.dumps({"answer": answer}) for answer in judged]
    Path(adapted_run.evaluation, "tuned.jsonl").write_text("\n".join(lines))
    source = Source(LOCATED, str(adapted_run.adapter), "float32")
    text = code(adapted_run, f"evaluate.decode={decode}", source=source)
    if decode == "median":
        assert any(judged)  # where too little probability is on numbers, the card prints one anyway
        pairs = [(row, answer) for row, answer in zip(rows, judged, strict=True) if answer]
    else:
        pairs = list(zip(rows, judged, strict=True))
    for row, answer in pairs:
        assert run_code(text, row) == answer.strip()
