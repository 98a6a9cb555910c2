import subprocess
import sys

import pytest


def test_a_wrong_path_and_a_model_without_a_chat_template(refused, work, model) -> None:
    (work / "runs").mkdir()
    assert "no run or model runs/nowhere" in refused("chat", "runs/nowhere").message
    folder = model("chat_template.jinja")
    told = refused("chat", folder)
    assert f"{folder} has no chat template" in told.message and "nybble generate" in told.fix


def test_an_option_that_is_wrong(refused) -> None:
    assert "--beams = 0" in refused("chat", "bundled:mini", "--beams", "0").message


@pytest.mark.slow
def test_a_conversation_through_a_pipe(nybble, work) -> None:
    """Answers on stdout, one a line; what commands say on stderr; nothing after /quit."""
    said = "Who are you?\n/system Be nice.\n\nWho are you?\n/rest\n/base\n/quit\nHi\n"
    limit = ["--max-new-tokens", "16", "--stop", "\n"]
    done = subprocess.run(
        [sys.executable, "-m", "nybble", "chat", "bundled:mini", *limit],
        input=said, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    alone = nybble("generate", "bundled:mini", "Who are you?", *limit)
    nice = nybble("generate", "bundled:mini", "Who are you?", "--system", "Be nice.", *limit)
    assert done.stdout == alone.stdout + nice.stdout
    notes = done.stderr.splitlines()
    assert notes[0] == "Begun anew, after that system message."
    assert notes[1] == "There is no command /rest."
    assert "There is no adapter to switch." in notes
