import json
import shutil
from pathlib import Path

import pytest

from nybble.generation.sampling import Sampling
from nybble.pipeline.asking import Asking, Given, read_given
from nybble.pipeline.generate import Telling, generate, telling
from nybble.pipeline.inference import find_subject
from nybble.recipe import load_recipe
from nybble.runs.errors import InputError
from nybble.runs.folder import RunFolder

QUIET = Telling(single=False, as_json=False, output=None, stream=False)
ALONE = Telling(single=True, as_json=False, output=None, stream=False)
STREAM = Telling(single=True, as_json=False, output=None, stream=True)


def asked(reference: Path | str, given: Given, sampling: Sampling, told: Telling, **more):
    base = more.pop("base", False)
    subject = find_subject(str(reference), base=base)
    asking = Asking(subject.recipe.data, subject.conversations, **more)
    return generate(subject, asking.examples(given), sampling, told)


@pytest.mark.slow
def test_rows_of_a_file_get_the_evaluations_answers(finished: Path, tmp_path: Path, capsys) -> None:
    from nybble.pipeline.run import evaluate_run
    from nybble.pipeline.stage import make_stage

    copy = tmp_path / "run"
    shutil.copytree(finished, copy)
    recipe = load_recipe(str(copy / "recipe.yaml"), ["evaluate.decode=greedy"])
    evaluate_run(RunFolder(copy), recipe)
    test = make_stage(recipe).prepared.splits.test
    rows = tmp_path / "rows.jsonl"
    rows.write_text("".join(json.dumps({"text": e.columns["text"]}) + "\n" for e in test))
    sampling = Sampling(max_new_tokens=recipe.evaluate.max_new_tokens)
    for name, base in (("tuned", False), ("zero_shot", True)):
        lines = (copy / "evaluation" / f"{name}.jsonl").read_text().splitlines()
        expected = [json.loads(line)["answer"] for line in lines]
        capsys.readouterr()
        found = asked(finished, read_given(None, rows), sampling, QUIET, base=base)
        assert found == expected and len(set(found)) > 1
        told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [line["answer"] for line in told] == expected
        assert [line["row"] for line in told] == list(range(1, len(test) + 1))
        assert told[0]["prompt"] == test[0].prompt


@pytest.mark.slow
def test_a_stream_tells_what_is_told_at_once(finished: Path, capsys) -> None:
    given = Given("The prompt", ("camera from Okoru, 9 megapixels",), single=True)
    sampling = Sampling(temperature=0.8, max_new_tokens=40, min_new_tokens=20, stop=("index",))
    answers = asked(finished, given, sampling, ALONE)
    at_once = capsys.readouterr().out
    assert asked(finished, given, sampling, STREAM) == answers
    assert capsys.readouterr().out == at_once == answers[0] + "\n"


@pytest.mark.slow
def test_answers_go_into_a_file(finished: Path, tmp_path: Path) -> None:
    output = tmp_path / "new" / "answers.jsonl"
    told = Telling(single=False, as_json=False, output=output, stream=False)
    found = asked(finished, Given("lines.txt", ("lamp", "sofa")), Sampling(max_new_tokens=3), told)
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    assert [line["answer"] for line in lines] == found
    assert lines[1].keys() == {"row", "prompt", "answer"} and lines[1]["row"] == 2


@pytest.mark.slow
def test_a_run_on_conversations_is_asked_through_the_chat_template(chatty: Path) -> None:
    """As one raw text, the rendered conversation is answered the same."""
    sampling = Sampling(max_new_tokens=12)
    given = Given("The prompt", ("Who are you?",), single=True)
    rendered = "<|system|>Be brief.<eos><|user|>Who are you?<eos><|assistant|>"
    assert find_subject(str(chatty)).conversations
    found = asked(chatty, given, sampling, ALONE, system="Be brief.")
    raw = Given("The prompt", (rendered,), single=True)
    assert asked(chatty, raw, sampling, ALONE, raw=True) == found
    assert asked(chatty, given, sampling, ALONE, raw=True) != found


def test_an_answer_is_streamed_to_a_person_who_watches(monkeypatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert telling(True, False, None, None, Sampling()).stream
    assert not telling(True, False, None, False, Sampling()).stream
    assert not telling(False, False, None, None, Sampling()).stream
    assert not telling(True, True, None, None, Sampling()).stream
    assert not telling(True, False, None, None, Sampling(beams=2)).stream
    monkeypatch.setattr("sys.stdout.isatty", lambda: False)
    assert not telling(True, False, None, None, Sampling()).stream
    assert telling(True, False, None, True, Sampling()).stream


def test_what_cannot_be_told_so_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--stream shows one answer"):
        telling(False, False, None, True, Sampling())
    with pytest.raises(InputError, match="--stream with --beams = 2"):
        telling(True, False, None, True, Sampling(beams=2))
    precious = tmp_path / "thesis.txt"
    precious.write_text("years of work")
    with pytest.raises(InputError, match="exists already"):
        telling(False, False, precious, None, Sampling())
    with pytest.raises(InputError, match="is a file"):
        telling(False, False, precious / "answers.jsonl", None, Sampling())
