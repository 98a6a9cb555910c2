"""One renderer for training and for inference (law 1).

For every row the ids of the inference prompt are, id for id, the beginning of the training ids;
what follows is the answer and the stop token, all scored; nothing begins with two BOS.

    training   [ prompt ids ............ | answer ids .. | stop ]
    scored     [ no                      | yes           | yes  ]
    inference  [ prompt ids ............ ]
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from jinja2.exceptions import TemplateError

from nybble.data.examples import Conversation, Message, Pair
from nybble.runs.errors import InputError

Ids = list[int]

_OPENED = re.compile(r"(<\w+>)(\s*)\Z")


@dataclass(frozen=True, slots=True)
class TokenRow:
    """`input_ids` [tokens], and for each whether the model is trained to say it.

    `number` is the source row's; `prompt_lengths` are the ends of the inference prompts in it.
    """

    number: int
    input_ids: Ids
    scored: list[bool]
    prompt_lengths: tuple[int, ...]


class Renderer:
    """Token ids of prompts and answers, by one tokenizer; `today` is what templates are told."""

    def __init__(self, tokenizer: Any, today: date | None = None) -> None:
        if tokenizer.eos_token_id is None:
            raise InputError(
                "The tokenizer has no end-of-text token, so no answer would ever end.",
                "Use a model whose tokenizer_config.json names an eos_token.",
            )
        self.tokenizer = tokenizer
        self.stop_id: int = tokenizer.eos_token_id
        # Llama 3.2's template writes the day into the system turn: rows rendered tomorrow, or by a
        # resumed run, would differ. Templates that name a fixed day by default keep it.
        dated = today and "strftime_now" in str(tokenizer.chat_template)
        self.template_values = {"date_string": f"{today:%d %b %Y}"} if dated else {}

    def prompt_ids(self, prompts: Sequence[str]) -> list[Ids]:
        """Ids of plain prompts as inference sees them: one BOS where the tokenizer wants it."""
        return [self._clean(ids) for ids in self._encode(prompts, True)]

    def pair_rows(self, pairs: Sequence[Pair], score: str) -> list[TokenRow]:
        """Training rows of prompt + completion pairs, tokenised in one batch each."""
        prompts = self.prompt_ids([pair.prompt for pair in pairs])
        completions = self._plain([pair.completion for pair in pairs])
        return [
            self._row(pair.number, prompt, [*completion, self.stop_id], score)
            for pair, prompt, completion in zip(pairs, prompts, completions, strict=True)
        ]

    def chat_prompt_ids(self, messages: Sequence[Message], where: str) -> Ids:
        """Ids of a conversation up to where the assistant is to speak."""
        return self._plain([self._render(messages, True, where)])[0]

    def chat_rows(self, chat: Conversation, score: str, source: str) -> list[TokenRow]:
        """Training rows of a conversation: one where the template keeps the prefix law, else one
        per answer (R1's template never keeps it; Qwen3's and QwQ's do not for earlier turns)."""
        where = f"{source}: row {chat.number}"
        places = [i for i, m in enumerate(chat.messages) if m["role"] == "assistant"]
        if score == "last":
            places = places[-1:]
        turns = [self._turn(chat.messages, place, where) for place in places]
        last_prompt, last_answer = turns[-1]
        whole = last_prompt + last_answer
        kept = all(whole[: len(p) + len(a)] == p + a for p, a in turns)
        if kept or score == "all":
            scored = [score == "all"] * len(whole)
            for prompt, answer in turns if kept else turns[-1:]:
                scored[len(prompt) : len(prompt) + len(answer)] = [True] * len(answer)
            lengths = tuple(len(p) for p, _ in turns) if kept else (len(last_prompt),)
            return [TokenRow(chat.number, whole, scored, lengths)]
        return [self._row(chat.number, p, a, "completion") for p, a in turns]

    def _turn(self, messages: Sequence[Message], place: int, where: str) -> tuple[Ids, Ids]:
        """The inference prompt before message `place`, and that message with the stop token."""
        prompt = self._render(messages[:place], True, where)
        through = self._render(messages[: place + 1], False, where)
        stop = self.tokenizer.eos_token
        answer = through[len(prompt) :] if through.startswith(prompt) else None
        if answer is None or stop not in answer:
            answer = _unopened(str(messages[place]["content"]), prompt)
        answer_ids = self._plain([answer.split(stop)[0]])[0]
        return self._plain([prompt])[0], [*answer_ids, self.stop_id]

    def _render(self, messages: Sequence[Message], prompt: bool, where: str) -> str:
        if not self.tokenizer.chat_template:
            raise InputError(
                f"{where} is a conversation, but the model has no chat template.",
                "Use an instruct model, or data.prompt and data.completion.",
            )
        try:
            text: str = self.tokenizer.apply_chat_template(
                list(messages),
                tokenize=False,
                add_generation_prompt=prompt,
                **self.template_values,
            )
        # An empty conversation, where the assistant speaks first, is transformers' to refuse.
        except (TemplateError, TypeError, ValueError, IndexError) as error:
            raise InputError(
                f"{where}: the chat template refuses it: {str(error).rstrip('.')}.",
                "Mend the order of the roles.",
            ) from None
        return text

    def _plain(self, texts: Sequence[str]) -> list[Ids]:
        """Ids with nothing added: a rendered template holds its own BOS."""
        return self._encode(texts, False)

    def _encode(self, texts: Sequence[str], add_special_tokens: bool) -> list[Ids]:
        if not texts:  # transformers' tokenizers fail on an empty batch
            return []
        ids: list[Ids]
        ids = self.tokenizer(list(texts), add_special_tokens=add_special_tokens).input_ids
        return ids

    def _clean(self, ids: Ids) -> Ids:
        """Without a second BOS (the text began with one), and without an EOS that would end it."""
        bos = self.tokenizer.bos_token_id
        while bos is not None and ids[:2] == [bos, bos]:
            ids = ids[1:]
        if len(ids) > 1 and ids[-1] == self.stop_id and bos != self.stop_id:
            ids = ids[:-1]
        return ids

    def _row(self, number: int, prompt: Ids, answer: Ids, score: str) -> TokenRow:
        scored = [score == "all"] * len(prompt) + [True] * len(answer)
        return TokenRow(number, prompt + answer, scored, (len(prompt),))


def _unopened(answer: str, prompt: str) -> str:
    """`answer` without the tag that the prompt ends with: R1's already says `<think>`."""
    opened = _OPENED.search(prompt)
    if opened is None or not answer.startswith(opened[1]):
        return answer
    return answer.removeprefix(opened[1]).removeprefix(opened[2])
