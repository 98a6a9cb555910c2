"""One renderer for training and for inference (law 1).

For every row the ids of the inference prompt are, id for id, the beginning of the training ids;
what follows is the answer and the stop token, all scored; nothing begins with two BOS.

    training   [ prompt ids ............ | answer ids .. | stop ]
    scored     [ no                      | yes           | yes  ]
    inference  [ prompt ids ............ ]
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from nybble.data.chat_rows import ChatEncoder, Refused, Talk, TokenRow
from nybble.data.chat_template import ChatTemplate, TemplateRefusal
from nybble.data.examples import Conversation, Message, Pair
from nybble.data.special_tokens import Ids, SpecialTokens, Spelling, encode
from nybble.data.turns import TurnReader
from nybble.runs.errors import InputError

UNWRITABLE = "it spells a special token, which this tokenizer cannot write as plain text"

__all__ = ["Ids", "Refused", "Renderer", "TokenRow"]


class Renderer:
    """Token ids of prompts and answers, by one tokenizer; `today` is what templates are told.

    `stop_id` ends the answer to a plain prompt, `chat_stop_id` one in a conversation: the first
    special token that the template writes behind an answer. Safe to use from several threads.
    """

    def __init__(self, tokenizer: Any, today: date | None = None) -> None:
        if tokenizer.eos_token_id is None:
            raise InputError(
                "The tokenizer has no end-of-text token, so no answer would ever end.",
                "Use a model whose tokenizer_config.json names an eos_token.",
            )
        self.tokenizer = tokenizer
        self.stop_id: int = tokenizer.eos_token_id
        self.template = ChatTemplate(tokenizer, today)
        self.special = SpecialTokens(tokenizer, self.template.exchange())
        self.chat_stop = chat_stop(self.template, self.special)
        self.chat_stop_id = self.special.stock.ids[self.chat_stop]

    @property
    def stop_ids(self) -> frozenset[int]:
        """The ids that end answers, of either kind."""
        return frozenset((self.stop_id, self.chat_stop_id))

    def prompt_ids(self, prompts: Sequence[str]) -> list[Ids]:
        """Ids of plain prompts as inference sees them: one BOS where the tokenizer wants it."""
        return [self._clean(ids) for ids in encode(self.tokenizer, prompts, True)]

    def pair_rows(self, pairs: Sequence[Pair], score: str) -> list[TokenRow]:
        """Training rows of prompt + completion pairs, tokenised in one batch each."""
        prompts = self.prompt_ids([pair.prompt for pair in pairs])
        completions = encode(self.tokenizer, [pair.completion for pair in pairs], False)
        rows = []
        for pair, prompt, completion in zip(pairs, prompts, completions, strict=True):
            scored = [score == "all"] * len(prompt) + [True] * (len(completion) + 1)
            ids = [*prompt, *completion, self.stop_id]
            rows.append(TokenRow(pair.number, ids, scored, (len(prompt),)))
        return rows

    def chat_prompt_ids(
        self, messages: Sequence[Message], where: str, tools: Sequence[Any] = ()
    ) -> Ids:
        """Ids of a conversation up to where the assistant is to speak."""
        self._check_template(where)
        try:
            reader, messages = self._reader(messages, tools)
            (ids,) = reader.spelling.encode([reader.prompt(messages)])
            if -1 in ids:
                raise TemplateRefusal(UNWRITABLE)
        except TemplateRefusal as refusal:
            raise InputError(
                f"{where}: the chat template refuses it: {refusal}.",
                "Mend the order of the roles, or what the messages hold.",
            ) from None
        return ids

    def chat_rows(
        self, chats: Sequence[Conversation], score: str, source: str
    ) -> list[TokenRow | Refused]:
        """Training rows of conversations, in order: one where the template keeps the prefix law,
        else one for each answer; or why a conversation is refused.

        `score`: "last" for the last answer of each, "all" for every token, else every answer.
        """
        rows: list[list[TokenRow | Refused]] = [[] for _ in chats]
        talks: dict[bool, dict[int, Talk]] = {False: {}, True: {}}
        for i, chat in enumerate(chats):
            self._check_template(f"{source}: row {chat.number}")
            try:
                reader, messages = self._reader(chat.messages, chat.tools)
                talks[reader.marked][i] = _talk(reader, messages, chat, score)
            except TemplateRefusal as refusal:
                rows[i] = [Refused(chat.number, f"is refused by the chat template: {refusal}")]
        for marked, some in talks.items():
            if some:
                encoder = ChatEncoder(self._spelling(marked), self._stop(marked))
                for i, found in zip(some, encoder.rows(list(some.values())), strict=True):
                    rows[i] = [_spelled(row) for row in found] if marked else [*found]
        return [row for found in rows for row in found]

    def _reader(
        self, messages: Sequence[Message], tools: Sequence[Any]
    ) -> tuple[TurnReader, Sequence[Message]]:
        """What reads `messages`, and these as it wants them: marked where they need be."""
        marked = self.special.spelled([messages, tools])
        if marked:
            if self.special.reserved([messages, tools]):
                raise TemplateRefusal("it holds reserved characters, U+10FFF0 to U+10FFF3")
            messages, tools = self.special.mark(messages), self.special.mark(tools)
        special = self.special if marked else None
        spelling, stop = self._spelling(marked), self._stop(marked)
        return TurnReader(self.template, spelling, stop, special, tools), messages

    def _spelling(self, marked: bool) -> Spelling:
        if not marked:
            return self.special.stock
        if self.special.respelled is None:
            raise TemplateRefusal(UNWRITABLE)
        return self.special.respelled

    def _stop(self, marked: bool) -> str:
        return self.special.renamed(self.chat_stop) if marked else self.chat_stop

    def _check_template(self, where: str) -> None:
        if not self.tokenizer.chat_template:
            raise InputError(
                f"{where} is a conversation, but the model has no chat template.",
                "Use an instruct model, name one with data.chat_template, or say data.prompt and "
                "data.completion.",
            )

    def _clean(self, ids: Ids) -> Ids:
        """Without a second BOS (the text began with one), and without an EOS that would end it."""
        bos = self.tokenizer.bos_token_id
        while bos is not None and ids[:2] == [bos, bos]:
            ids = ids[1:]
        if len(ids) > 1 and ids[-1] == self.stop_id and bos != self.stop_id:
            ids = ids[:-1]
        return ids


def chat_stop_id(tokenizer: Any) -> int:
    """The id that ends the answers of a conversation."""
    return Renderer(tokenizer).chat_stop_id if tokenizer.chat_template else tokenizer.eos_token_id


def chat_stop(template: ChatTemplate, special: SpecialTokens) -> str:
    """How answers end in `template`: the first special token after one, else the tokenizer's."""
    found = special.stock.pattern.search(template.after_answer())
    return found[0] if found else str(template.tokenizer.eos_token)


def _talk(reader: TurnReader, messages: Sequence[Message], chat: Conversation, score: str) -> Talk:
    """The answers of `chat` that are to be learned; `messages` are its own, perhaps marked."""
    places = [i for i, m in enumerate(chat.messages) if m["role"] == "assistant"]
    if score == "last":
        places = places[-1:]
    turns = [reader.turn(messages, at, chat.messages[at].get("content")) for at in places]
    return Talk(chat.number, turns, score == "all")


def _spelled(row: TokenRow) -> TokenRow | Refused:
    """A row in which something spells a special token; refused where that token came of it."""
    if -1 in row.input_ids:
        return Refused(row.number, f"is refused: {UNWRITABLE}")
    return replace(row, spelled=True)
