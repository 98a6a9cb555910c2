"""Test rows as questions: prompts with and without examples, and the true answers."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nybble.data.examples import Conversation, Example, Message, Pair
from nybble.data.render import Renderer
from nybble.data.split import Splits
from nybble.evaluation import extract_number
from nybble.recipe.evaluate_part import EvaluatePart
from nybble.recipe.schema import DataPart
from nybble.runs.errors import InputError

Ids = list[int]


@dataclass(frozen=True)
class Questions:
    """Rows to be judged on: their source rows' numbers, prompts as texts, truth [rows]."""

    numbers: list[int]
    texts: list[str]
    truth: NDArray[np.float64]


def prompt_and_answer(example: Example) -> tuple[str, str]:
    """What is asked and what is to be answered, as texts; of a conversation the last answer."""
    if isinstance(example, Pair):
        return example.prompt, example.completion
    asked, answer = _last_turn(example)
    return "\n".join(str(message["content"]) for message in asked), str(answer["content"])


def true_number(example: Example, part: EvaluatePart, source: str) -> float:
    """The true value: the column `evaluate.truth`, or the number in the completion."""
    if part.truth is not None:
        return column_number(example, part.truth, "evaluate.truth", source)
    value = extract_number(prompt_and_answer(example)[1], part.extract)
    if value is None:
        raise InputError(
            f"{source}: row {example.number}: no number in the completion.",
            "Name the column of the true value with evaluate.truth, or mend the row.",
        )
    return value


def column_number(example: Example, column: str, field: str, source: str) -> float:
    """The number in a row's `column`, which the recipe names in `field`."""
    where = f"{source}: row {example.number}"
    if column not in example.columns:
        raise InputError(
            f"{where} has no column {column!r} ({field}).",
            f"There are {', '.join(example.columns)}; {field}=null leaves it out.",
        )
    value = extract_number(str(example.columns[column]), "first")
    if value is None:
        raise InputError(
            f"{where}: no number in column {column!r}.",
            f"Mend the row, or name another column with {field}.",
        )
    return value


def check_truths(splits: Splits, data: DataPart, part: EvaluatePart) -> None:
    """Read every number that an evaluation will need. Raises `InputError` for what would fail it:
    too few rows, a column that is not there, a row without a number."""
    test = splits.test[: part.size]
    if len(test) < 2:
        raise InputError(
            f"data.test and evaluate.size give {len(test)} rows to evaluate on.",
            "Give both at least 2, or skip the evaluation with evaluate.size=0.",
        )
    if len(splits.validation) < 2 and len(splits.train) < 3:
        raise InputError(
            f"{data.train_name}: {len(splits.train)} rows to train on and "
            f"{len(splits.validation)} to validate are too few rows for the references.",
            "Give more rows, or skip the evaluation with evaluate.size=0.",
        )
    for examples, source in (
        (splits.train, data.train_name),
        (splits.validation, data.validation),
        (test, data.test),
    ):
        name = source if isinstance(source, str) else data.train_name
        for example in examples:
            true_number(example, part, name)
            if part.floor and examples is test:
                column_number(example, part.floor, "evaluate.floor", name)


def read_questions(examples: Sequence[Example], part: EvaluatePart, source: str) -> Questions:
    """The test rows with their true values. Raises `InputError` for a row without a number."""
    return Questions(
        numbers=[example.number for example in examples],
        texts=[prompt_and_answer(example)[0] for example in examples],
        truth=np.array([true_number(example, part, source) for example in examples]),
    )


def prompts(examples: Sequence[Example], renderer: Renderer, shots: Sequence[Example]) -> list[Ids]:
    """Inference prompts of `examples`, each after the same `shots` with their answers.

    Plain prompts are parted by an empty line; in conversations the shots are earlier turns.
    """
    out: list[Ids | None] = [None] * len(examples)
    before = "".join(f"{p}{a}\n\n" for p, a in map(prompt_and_answer, shots))
    plain = [i for i, example in enumerate(examples) if isinstance(example, Pair)]
    texts = [before + prompt_and_answer(examples[i])[0] for i in plain]
    for i, ids in zip(plain, renderer.prompt_ids(texts), strict=True):
        out[i] = ids
    for i, example in enumerate(examples):
        if isinstance(example, Conversation):
            asked = _last_turn(example)[0]
            first = next((at for at, m in enumerate(asked) if m["role"] != "system"), len(asked))
            messages = [*asked[:first], *_turns(shots), *asked[first:]]
            where = f"test row {example.number}"
            out[i] = renderer.chat_prompt_ids(messages, where, example.tools)
    return [ids for ids in out if ids is not None]


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
