"""Test rows as questions: prompts with and without examples."""

import random
from collections.abc import Sequence
from dataclasses import replace

from nybble.data.examples import Conversation, Example, Message, Pair
from nybble.data.render import Renderer

Ids = list[int]


def prompt_and_answer(example: Example) -> tuple[str, str]:
    """What is asked and what is to be answered, as texts; of a conversation the last answer."""
    if isinstance(example, Pair):
        return example.prompt, example.completion
    asked, answer = _last_turn(example)
    return "\n".join(str(message["content"]) for message in asked), str(answer["content"])


def prompts(examples: Sequence[Example], renderer: Renderer, shots: Sequence[Example]) -> list[Ids]:
    """Inference prompts of `examples`, each after the same `shots` with their answers."""
    out: list[Ids | None] = [None] * len(examples)
    asked = [after_shots(example, shots) for example in examples]
    plain = [i for i, example in enumerate(asked) if isinstance(example, Pair)]
    texts = [prompt_and_answer(asked[i])[0] for i in plain]
    for i, ids in zip(plain, renderer.prompt_ids(texts), strict=True):
        out[i] = ids
    for i, example in enumerate(asked):
        if isinstance(example, Conversation):
            where = f"test row {example.number}"
            out[i] = renderer.chat_prompt_ids(_last_turn(example)[0], where, example.tools)
    return [ids for ids in out if ids is not None]


def after_shots(example: Example, shots: Sequence[Example]) -> Example:
    """`example` up to its last answer, with `shots` and their answers before it.

    Plain prompts are parted by an empty line; in conversations the shots are earlier turns.
    """
    if isinstance(example, Pair):
        before = "".join(f"{p}{a}\n\n" for p, a in map(prompt_and_answer, shots))
        return replace(example, prompt=before + example.prompt)
    asked, answer = _last_turn(example)
    first = next((at for at, m in enumerate(asked) if m["role"] != "system"), len(asked))
    messages = (*asked[:first], *_turns(shots), *asked[first:], answer)
    return replace(example, messages=messages)


def answered(example: Example, answer: str) -> Example:
    """`example` up to its last answer, with another one in its place."""
    if isinstance(example, Pair):
        return replace(example, completion=answer)
    message: Message = {"role": "assistant", "content": answer}
    return replace(example, messages=(*_last_turn(example)[0], message))


def draw_shots(train: Sequence[Example], count: int, seed: int) -> list[Example]:
    """`count` training rows to show in the baseline's prompt, the same for every question."""
    return random.Random(f"shots {seed}").sample(train, min(count, len(train)))


def _last_turn(chat: Conversation) -> tuple[list[Message], Message]:
    place = max(i for i, m in enumerate(chat.messages) if m["role"] == "assistant")
    return list(chat.messages[:place]), chat.messages[place]


def _turns(shots: Sequence[Example]) -> list[Message]:
    """Shots as turns of a conversation; system messages are the question's own affair."""
    turns: list[Message] = []
    for shot in shots:
        if isinstance(shot, Conversation):
            asked, answer = _last_turn(shot)
            turns += [m for m in asked if m["role"] != "system"] + [answer]
    return turns
