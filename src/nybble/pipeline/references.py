"""What a fine-tuned model has to beat to be worth its cost: guesses that need no language model.

number    the median of the training rows, and ridges on words
label     the most frequent label, and a ridge classifier on words
text      the most frequent answer, and that of the training row with the likest prompt
code      none: the constant guess is a program that does nothing, and passes no test
loss      none
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import JsonValue

from nybble.data.examples import Example
from nybble.evaluation.making import most_frequent
from nybble.evaluation.references import (
    constant_reference,
    nearest_answers,
    ridge_classifier,
    ridge_references,
)
from nybble.evaluation.task import Answers
from nybble.pipeline.questions import prompt_and_answer
from nybble.pipeline.stage import Stage
from nybble.pipeline.truths import column_number, true_answer

CONSTANT, FLOOR = "constant", "noise floor"


def references(stage: Stage, test: Sequence[Example]) -> dict[str, list[Answers]]:
    """Each reference's guesses for the rows of `test`, as answers that hold nothing else.

    Where the recipe names a floor, the perfect guesser's are among them. What is fitted has its
    penalty chosen on validation rows, or on a tenth of the training rows where there are none.
    """
    part = stage.recipe.evaluate
    makers = {"number": _of_numbers, "label": _of_labels, "text": _of_texts}
    found = makers[part.task](stage, test) if part.task in makers else {}
    return {name: [(guess,) for guess in guesses] for name, guesses in found.items()}


def _of_numbers(stage: Stage, test: Sequence[Example]) -> dict[str, list[str]]:
    part = stage.recipe.evaluate
    rows = _rows(stage)
    median = constant_reference(np.array(rows.all_truths, np.float64))
    ridges = ridge_references(
        rows.texts, np.array(rows.truths, np.float64),
        rows.chosen_texts, np.array(rows.chosen_truths, np.float64), _texts(test),
    )  # fmt: skip
    found = {CONSTANT: [repr(median)] * len(test)}
    found |= {name: list(map(repr, one.predictions.tolist())) for name, one in ridges.items()}
    if part.floor:
        source = stage.recipe.data.train_name
        found[FLOOR] = [
            repr(column_number(example, part.floor, "evaluate.floor", source)) for example in test
        ]
    return found


def _of_labels(stage: Stage, test: Sequence[Example]) -> dict[str, list[str]]:
    rows = _rows(stage)
    labels, chosen = list(map(str, rows.truths)), list(map(str, rows.chosen_truths))
    guesses = ridge_classifier(rows.texts, labels, rows.chosen_texts, chosen, _texts(test))
    return {CONSTANT: [most_frequent(rows.all_truths)] * len(test), "ridge classifier": guesses}


def _of_texts(stage: Stage, test: Sequence[Example]) -> dict[str, list[str]]:
    part, source = stage.recipe.evaluate, stage.recipe.data.train_name
    train = stage.prepared.splits.train
    answers = [str(true_answer(example, part, source)) for example in train]
    return {
        CONSTANT: [most_frequent(answers)] * len(test),
        "nearest row": nearest_answers(_texts(train), answers, _texts(test)),
    }


@dataclass(frozen=True)
class _Rows:
    """Rows to fit on, and rows to choose a penalty on; `all_truths` are of all training rows."""

    texts: list[str]
    truths: list[JsonValue]
    chosen_texts: list[str]
    chosen_truths: list[JsonValue]
    all_truths: list[JsonValue]


def _rows(stage: Stage) -> _Rows:
    part, source = stage.recipe.evaluate, stage.recipe.data.train_name
    splits = stage.prepared.splits
    train, chosen = list(splits.train), list(splits.validation)
    truths = [true_answer(example, part, source) for example in train]
    if len(chosen) >= 2:
        of_chosen = [true_answer(example, part, source) for example in chosen]
        return _Rows(_texts(train), truths, _texts(chosen), of_chosen, truths)
    cut = max(2, len(train) // 10)
    return _Rows(_texts(train[:-cut]), truths[:-cut], _texts(train[-cut:]), truths[-cut:], truths)


def _texts(examples: Sequence[Example]) -> list[str]:
    return [prompt_and_answer(example)[0] for example in examples]
