"""A tokenizer's chat template as a function from messages to text, the same on every day.

transformers renders it. What is ours: the day is fixed, a system turn that a template does not take
goes to the head of the first user's, and a refusal is told in one line.
"""

import re
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import Any

import jinja2

Message = dict[str, Any]

# Where templates ask for today's date, they are told the run's. The macro hides transformers' own
# function of that name. A line break after a block is not part of the text.
_PIN = (
    "{% macro strftime_now(format) %}{{ nybble_dates[format] if format in nybble_dates else "
    "raise_exception('it asks for a date in a format that it computes') }}{% endmacro %}\n"
)
_DATE = re.compile(r"""strftime_now\(\s*(["'])(.*?)\1\s*\)""")

_PLAIN = {"role", "content"}
_QUESTION, _ANSWER = "A question", "An answer"
_ASKED: Message = {"role": "user", "content": _QUESTION}
_TOLD: Message = {"role": "assistant", "content": _ANSWER}


class TemplateRefusal(Exception):  # noqa: N818
    """Why a template does not take a conversation, in a few words."""


class ChatTemplate:
    """The chat template of `tokenizer`, told that it is `today` (None: the clock's day)."""

    def __init__(self, tokenizer: Any, today: date | None = None) -> None:
        self.tokenizer = tokenizer
        self.today = today
        rule: Message = {"role": "system", "content": "A rule"}
        # Only transformers' own classes are known to render as its compiled templates do.
        self._compiles = type(tokenizer).__module__.startswith("transformers.")
        self.merges_system = False
        if tokenizer.chat_template:
            self.merges_system = self._takes(_ASKED) and not self._takes(rule, _ASKED)

    def text(self, messages: Sequence[Message], to_answer: bool, tools: Sequence[Any] = ()) -> str:
        """The rendered `messages`; with `to_answer`, up to where the assistant is to speak.

        Raises `TemplateRefusal`.
        """
        if self.merges_system:
            messages = _without_system(messages)
        try:
            return self._render(messages, to_answer, list(tools) if tools else None)
        # transformers refuses an empty conversation, where the assistant speaks first; templates
        # trip over what they did not expect in Python's own ways.
        except (jinja2.TemplateError, TypeError, ValueError, LookupError, AttributeError) as error:
            if not messages:
                raise TemplateRefusal("the assistant speaks first") from None
            raise TemplateRefusal(" ".join(str(error).split()).rstrip(".")) from None

    def _render(self, messages: Sequence[Message], to_answer: bool, tools: list[Any] | None) -> str:
        """As `apply_chat_template` does. Half of its time goes into making plain what it is given;
        messages that are plain already go to the template that it compiled."""
        values, tokenizer = self._values(tools), self.tokenizer
        text: str
        if tools or not messages or not all(map(_is_plain, messages)) or not self._compiles:
            text = tokenizer.apply_chat_template(
                list(messages), tokenize=False, add_generation_prompt=to_answer, **values
            )
            return text
        from transformers.utils.chat_template_utils import _compile_jinja_template

        template = values.pop("chat_template", None) or tokenizer.get_chat_template()
        told = {**tokenizer.special_tokens_map, **values, "add_generation_prompt": to_answer}
        text = _compile_jinja_template(template).render(
            messages=list(messages), tools=None, documents=None, **told
        )
        return text

    @property
    def dated(self) -> bool:
        """Whether the template asks what day it is, and is told."""
        return self.today is not None and "strftime_now" in str(self.tokenizer.chat_template)

    def exchange(self) -> str:
        """The text of a question, an answer and a question; "" where the template refuses it."""
        if not self.tokenizer.chat_template:
            return ""
        try:
            return self.text([_ASKED, _TOLD, _ASKED], False)
        except TemplateRefusal:
            return ""

    def after_answer(self) -> str:
        """What stands in an exchange between the answer and the next question."""
        return self.exchange().partition(_ANSWER)[2].partition(_QUESTION)[0]

    def _takes(self, *messages: Message) -> bool:
        try:
            self.text(messages, False)
        except TemplateRefusal:
            return False
        return True

    def _values(self, tools: list[Any] | None) -> dict[str, Any]:
        """Arguments beside the messages: the tools, and a template that does not ask the clock."""
        values: dict[str, Any] = {"tools": tools} if tools else {}
        if self.dated and self.today is not None:
            template = self.tokenizer.get_chat_template(None, tools)
            values["chat_template"], values["nybble_dates"] = _pinned(template, self.today)
        return values


def _is_plain(message: Message) -> bool:
    """Whether `message` is nothing but two texts."""
    return message.keys() == _PLAIN and all(type(value) is str for value in message.values())


@lru_cache
def _pinned(template: str, today: date) -> tuple[str, dict[str, str]]:
    """`template` with its clock stopped, and what the clock says in each format that it names."""
    return _PIN + template, {f: today.strftime(f) for _, f in _DATE.findall(template)}


def _without_system(messages: Sequence[Message]) -> Sequence[Message]:
    """`messages` with the system turn at the head of the user's that follows it."""
    roles = [message["role"] for message in messages[:2]]
    if roles != ["system", "user"]:
        return messages
    system, user = messages[:2]
    merged = {**user, "content": f"{system['content']}\n\n{user['content']}"}
    return [merged, *messages[2:]]
