"""The answers of a conversation, each after the text that inference would give the model.

prompt   everything before the answer, rendered as at inference
answer   as the template writes it there, or as it stands in the row where the template would
         lose some of it (R1's drops the thoughts, also of the answer that is to be learned)
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nybble.data.chat_template import ChatTemplate, Message, TemplateRefusal
from nybble.data.special_tokens import SpecialTokens, Spelling

_OPENED = re.compile(r"(<\w+>)(\s*)\Z")


@dataclass(frozen=True)
class Turn:
    """An answer as texts: the inference prompt before it, and what follows up to the stop."""

    prompt: str
    answer: str


@dataclass(frozen=True)
class TurnReader:
    """Renders turns. `stop` is how answers end in `spelling`; with `special`, messages are marked
    and every rendered text is spelled anew."""

    template: ChatTemplate
    spelling: Spelling
    stop: str
    special: SpecialTokens | None = None
    tools: Sequence[Any] = ()

    @property
    def marked(self) -> bool:
        return self.special is not None

    def prompt(self, messages: Sequence[Message]) -> str:
        """The inference prompt after `messages`."""
        return self._text(messages, True)

    def _text(self, messages: Sequence[Message], to_answer: bool) -> str:
        text = self.template.text(messages, to_answer, self.tools)
        if self.special is None:
            return text
        plain, tools = self.special.unmark([list(messages), self.tools])
        if self.special.unmark(text) != self.template.text(plain, to_answer, tools):
            raise TemplateRefusal("it reads a special token that a message spells")
        return self.special.respell(text)

    def turn(self, messages: Sequence[Message], place: int, content: Any) -> Turn:
        """The answer at `place` of `messages`; `content` is what its row says there.

        Raises `TemplateRefusal`.
        """
        before, message = messages[:place], messages[place]
        prompt = self.prompt(before)
        through = self._text(messages[: place + 1], False)
        calls = message.get("tool_calls")
        if through.startswith(prompt):
            answer, stop, _ = through[len(prompt) :].partition(self.stop)
            if stop and (self._has_calls(answer, calls) if calls else _holds(answer, content)):
                return Turn(prompt, answer)
        if isinstance(content, str) and not calls:
            return Turn(prompt, _unopened(content, prompt))
        answer = self._written(before, prompt, through)
        if not self._has_calls(answer, calls or ()):
            raise TemplateRefusal("it leaves out a tool call")
        return Turn(prompt, answer)

    def _has_calls(self, answer: str, calls: Sequence[Any]) -> bool:
        """Whether `answer` names every function that is called."""
        names = [str((call.get("function") or call).get("name")) for call in calls]
        if self.special is not None:
            names = self.special.unmark(names)
        return all(name in answer for name in names)

    def _written(self, before: Sequence[Message], prompt: str, through: str) -> str:
        """The answer in `through`, which does not begin with its prompt: behind what both have of
        the turn's header (QwQ's prompt opens a thought, a tool call comes without one); or, where
        the template rewrites what came before, behind the last header like the prompt's."""
        specials = self.spelling.pattern
        begun = self._text(before, False) if before else ""
        if prompt.startswith(begun) and through.startswith(begun):
            opened, written = prompt[len(begun) :], through[len(begun) :]
            pairs = enumerate(zip(opened, written, strict=False))
            same = next((i for i, (a, b) in pairs if a != b), min(len(opened), len(written)))
            ends = [found.end() for found in specials.finditer(written[:same])]
            said = written[max([written.rfind("\n", 0, same) + 1, *ends]) :]
        else:
            heads = [found.start() for found in specials.finditer(prompt)]
            if not heads or prompt[heads[-1] :] not in through:
                raise TemplateRefusal("it rewrites what comes before a tool call")
            said = through.rpartition(prompt[heads[-1] :])[2]
        return said.partition(self.stop)[0]


def _holds(answer: str, content: Any) -> bool:
    """Whether a template's `answer` has all of `content`; it may trim and set line breaks."""
    if not isinstance(content, str) or content.strip() in answer:
        return True
    return "".join(content.split()) in "".join(answer.split())


def _unopened(answer: str, prompt: str) -> str:
    """`answer` without the tag that the prompt ends with: R1's already says `<think>`."""
    opened = _OPENED.search(prompt)
    if opened is None or not answer.startswith(opened[1]):
        return answer
    return answer.removeprefix(opened[1]).removeprefix(opened[2])
