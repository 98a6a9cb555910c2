from types import SimpleNamespace

import pytest

from nybble.data.examples import Conversation, Pair
from nybble.generation.remote_reference import parse_remote
from nybble.pipeline.asking_models import check_remotes
from nybble.pipeline.contenders import Remote
from nybble.runs.errors import InputError

REMOTES = [Remote("far", parse_remote("openai:m@http://localhost:9/v1"))]
ASKED = {"role": "user", "content": "Will it rain?"}
ANSWER = {"role": "assistant", "content": "Yes."}
CALL = {"role": "assistant", "content": "", "tool_calls": [{"type": "function"}]}
PLAIN = Conversation(1, (ASKED, ANSWER), {})


TOLD = Conversation(2, (ASKED, ANSWER), {}, ({"type": "function"},))
CALLED = Conversation(2, (ASKED, CALL, {"role": "tool", "content": "rain"}, ANSWER), {})


@pytest.mark.parametrize(
    ("rows", "shots", "named"),
    [([PLAIN, TOLD], [], 2), ([PLAIN, CALLED], [], 2), ([PLAIN], [CALLED], 1)],
)
def test_rows_with_tools_are_not_asked_of_remote_models_without_them(rows, shots, named) -> None:
    with pytest.raises(InputError, match=f"far: row {named} has tools, which are not sent"):
        check_remotes(REMOTES, SimpleNamespace(shots=shots), rows)
    check_remotes([], SimpleNamespace(shots=shots), rows)


def test_other_rows_are_asked() -> None:
    last = Conversation(2, (ASKED, CALL), {})  # the call is what is to be answered
    check_remotes(REMOTES, SimpleNamespace(shots=[]), [PLAIN, Pair(3, "p", "c", {}), last])
