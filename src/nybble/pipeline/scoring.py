"""Rows that a model is not asked to answer, but how likely it finds answers that are given."""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from nybble.data.examples import Conversation, Example, Pair
from nybble.data.render import Refused, Renderer, TokenRow
from nybble.evaluation.tasks.label import plain
from nybble.evaluation.tasks.loss import scored_answer
from nybble.generation.likelihood import likeliest, log_likelihoods
from nybble.pipeline.questions import Ids, after_shots, answered, prompt_and_answer
from nybble.pipeline.stage import Stage
from nybble.planner.plan import Plan
from nybble.runs.errors import InputError

OnAnswer = Callable[[int, str], None]


def choose_labels(
    stage: Stage,
    plan: Plan,
    model: Any,
    examples: Sequence[Example],
    shots: Sequence[Example],
    labels: Sequence[str],
    on_answer: OnAnswer,
) -> None:
    """Answer each row with the label that `model` finds likeliest behind its prompt.

    What counts is the probability of all of a label's tokens together, written as in the training
    rows. Where one label's tokens begin another's, the stop token behind them counts too: it tells
    `not` from `not spam`.
    """
    asked = [after_shots(example, shots) for example in examples]
    texts = written_forms(labels, stage.prepared.splits.train)
    rows = [
        _rendered(answered(example, text), stage.renderer) for example in asked for text in texts
    ]
    prompts = [row.input_ids[: row.prompt_lengths[-1]] for row in rows]
    written = [_answer_ids(row) for row in rows]
    if not _nested(written[: len(labels)]):
        written = [ids[:-1] for ids in written]
    found = log_likelihoods(model, prompts, written, plan.micro_batch_tokens)
    for place in range(len(examples)):
        of_row = found[place * len(labels) : (place + 1) * len(labels)]
        on_answer(place, labels[likeliest(of_row)])


def written_forms(labels: Sequence[str], train: Sequence[Example]) -> list[str]:
    """How each label is written in a training row's answer, spaces and marks included.

    A label that no row answers is written with the space that the others begin with.
    """
    forms: dict[str, str] = {}
    wanted = {plain(label): label for label in labels}
    for example in train:
        answer = prompt_and_answer(example)[1]
        if label := wanted.get(plain(answer)):
            forms.setdefault(label, answer)
        if len(forms) == len(labels):
            break
    spaces = {form[: len(form) - len(form.lstrip())] for form in forms.values()}
    space = spaces.pop() if len(spaces) == 1 else ""
    return [forms.get(label, space + label) for label in labels]


def score_rows(
    stage: Stage, plan: Plan, model: Any, examples: Sequence[Example], on_answer: OnAnswer
) -> None:
    """Answer each row with the loss of its scored tokens, `data.score`'s, under `model`."""
    prompts: list[Ids] = []
    written: list[Ids] = []
    places: list[int] = []
    for place, example in enumerate(examples):
        for row in _scored_rows(example, stage):
            for prompt, continuation in _spans(row):
                prompts.append(prompt)
                written.append(continuation)
                places.append(place)
    found = log_likelihoods(model, prompts, written, plan.micro_batch_tokens)
    loss_sums, tokens = [0.0] * len(examples), [0] * len(examples)
    for place, likelihood in zip(places, found, strict=True):
        loss_sums[place] -= likelihood.log_prob
        tokens[place] += likelihood.tokens
    for place, (loss_sum, count) in enumerate(zip(loss_sums, tokens, strict=True)):
        on_answer(place, scored_answer(loss_sum, count))


def _scored_rows(example: Example, stage: Stage) -> list[TokenRow]:
    renderer, data = stage.renderer, stage.recipe.data
    if isinstance(example, Pair):
        return renderer.pair_rows([example], data.score)
    rows = renderer.chat_rows([example], data.score, data.train_name)
    return [_whole(row) for row in rows]


def _rendered(example: Example, renderer: Renderer) -> TokenRow:
    """A row up to its last answer, which is scored."""
    if isinstance(example, Conversation):
        (row,) = renderer.chat_rows([example], "last", "test")
        return _whole(row)
    return renderer.pair_rows([example], "completion")[0]


def _whole(row: TokenRow | Refused) -> TokenRow:
    if isinstance(row, Refused):
        raise InputError(f"test row {row.number} {row.reason}.", "Mend the row, or leave it out.")
    return row


def _answer_ids(row: TokenRow) -> Ids:
    """The scored tokens behind the prompt, the stop token last."""
    begin = row.prompt_lengths[-1]
    return [
        i for i, scored in zip(row.input_ids[begin:], row.scored[begin:], strict=True) if scored
    ]


def _spans(row: TokenRow) -> list[tuple[Ids, Ids]]:
    """Each run of scored tokens with all that stands before it."""
    found, at = [], 0
    for scored, run in groupby(row.scored):
        length = len(list(run))
        # Nothing comes before a row's first token, so it cannot be scored.
        begin = max(at, 1)
        if scored and at + length > begin:
            found.append((row.input_ids[:begin], row.input_ids[begin : at + length]))
        at += length
    return found


def _nested(written: Sequence[Ids]) -> bool:
    """Whether, without their stop tokens, one answer's ids begin another's."""
    bare = [ids[:-1] for ids in written]
    return any(
        one == other[: len(one)]
        for at, one in enumerate(bare)
        for place, other in enumerate(bare)
        if at != place
    )
