import json

import pytest

HI = ("generate", "bundled:mini", "Hi")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--temperature", "-1"), "--temperature = -1.0"),
        (("--temperature", "1", "--top-p", "1.5"), "--top-p = 1.5"),
        (("--top-k", "4"), "--top-k = 4 has no effect"),
        (("--max-new-tokens", "0"), "--max-new-tokens = 0"),
        (("--stop", ""), "--stop = "),
        (("--base", "--adapter", "x"), "--base and --adapter"),
        (("--file", "rows.jsonl"), "A prompt and --file"),
        (("--raw", "--system", "Be nice."), "--system"),
        (("--stream", "--json"), "--stream shows one answer"),
        (("--output", "."), "exists already"),
    ],
)
def test_an_option_that_is_wrong(refused, options, named) -> None:
    assert named in refused(*HI, *options).message


def test_a_wrong_path_and_a_missing_file_of_prompts(refused, work) -> None:
    (work / "runs").mkdir()
    assert "no run or model runs/nowhere" in refused("generate", "runs/nowhere", "Hi").message
    assert "rows.jsonl" in refused("generate", "bundled:mini", "--file", "rows.jsonl").message


@pytest.mark.slow
def test_a_prompt_is_answered_from_an_argument_and_from_standard_input(nybble) -> None:
    from typer.testing import CliRunner

    from nybble.cli.main import app

    limit = ("--max-new-tokens", "12")
    plain = nybble(*HI, *limit)
    assert plain.exit_code == 0, plain.output
    piped = CliRunner().invoke(app, ["generate", "bundled:mini", *limit], input="Hi\n")
    assert piped.stdout == plain.stdout and len(plain.stdout) > 1
    told = json.loads(nybble(*HI, *limit, "--json").stdout)
    assert told == {"row": 1, "prompt": "Hi", "answer": plain.stdout.removesuffix("\n")}
