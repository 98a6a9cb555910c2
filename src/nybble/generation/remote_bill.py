"""What the answers of a remote model cost."""

from dataclasses import dataclass

from nybble.generation.remote_protocol import Reply
from nybble.generation.remote_reference import RemoteReference


@dataclass
class Bill:
    """What was asked and charged. `remembered` answers came from the disk; their tokens count too.

    `uncounted`: answers whose tokens the server did not tell.
    """

    asked: int = 0
    remembered: int = 0
    tried_again: int = 0
    prompt_tokens: int = 0
    answer_tokens: int = 0
    uncounted: int = 0

    def add(self, reply: Reply) -> None:
        if reply.prompt_tokens is None or reply.answer_tokens is None:
            self.uncounted += 1
            return
        self.prompt_tokens += reply.prompt_tokens
        self.answer_tokens += reply.answer_tokens

    def dollars(self, reference: RemoteReference) -> float | None:
        """What all answers cost; None without both prices, or where tokens were not told."""
        if reference.input is None or reference.output is None or self.uncounted:
            return None
        spent = self.prompt_tokens * reference.input + self.answer_tokens * reference.output
        return spent / 1e6
