"""The evaluation step of a run: base and tuned model, and references, on the same test rows."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from peft import PeftModel

from nybble import evaluation
from nybble.data.examples import Example
from nybble.generation.greedy import generate_answers
from nybble.generation.median import exact_medians, number_token_ids, sampled_medians
from nybble.generation.sampling import Sampling
from nybble.model.whole import untuned
from nybble.pipeline.questions import (
    Ids,
    Questions,
    column_number,
    prompt_and_answer,
    prompts,
    read_questions,
    true_number,
)
from nybble.pipeline.stage import Stage
from nybble.planner.plan import Plan
from nybble.recipe.schema import EvaluatePart
from nybble.report.terminal import Tally, print_comparison
from nybble.runs.atomic import write_json_lines
from nybble.runs.folder import RunFolder
from nybble.training.progress import watch

Floats = NDArray[np.float64]
TUNED, ZERO_SHOT, FEW_SHOT = "tuned model", "zero-shot base", "few-shot base"
FLOOR = "noise floor"


@dataclass(frozen=True)
class Asked:
    """One model's answers to all questions, in their order."""

    answers: list[str]
    values: list[float | None]

    @property
    def parse_rate(self) -> float:
        return sum(value is not None for value in self.values) / len(self.values)


class Examiner:
    """Asks a model the test questions of a run, always with the same decoder."""

    def __init__(self, stage: Stage, plan: Plan) -> None:
        self.stage = stage
        self.plan = plan
        self.part: EvaluatePart = stage.recipe.evaluate
        self.test = stage.prepared.splits.test[: self.part.size]
        self.questions: Questions = read_questions(
            self.test, self.part, stage.recipe.data.train_name
        )
        train = stage.prepared.splits.train
        self.train_truth = np.array(
            [true_number(example, self.part, stage.recipe.data.train_name) for example in train]
        )
        self.number_ids = self._single_tokens(train)

    @property
    def thresholds(self) -> evaluation.Thresholds:
        part = self.part
        return evaluation.Thresholds(
            part.green_within, part.green_share, part.orange_within, part.orange_share
        )

    @property
    def fallback(self) -> float:
        """What an unreadable answer counts as: the constant reference's guess."""
        return evaluation.constant_reference(self.train_truth)

    def ask(self, name: str, model: PeftModel, shots: Sequence[Example] = ()) -> Asked:
        """Answers to every question, the tally of colours shown as they come in."""
        asked = prompts(self.test, self.stage.renderer, shots)
        answers = [""] * len(asked)
        tally, truth = Tally(), self.questions.truth
        done = 0
        with watch(name, len(asked)) as bar:

            def on_answer(place: int, text: str) -> None:
                nonlocal done
                answers[place] = text
                value = self.value(text)
                guess = self.fallback if value is None else value
                note = tally.add(evaluation.colour(truth[place], guess, self.thresholds))
                done += 1
                bar.update(done, note if bar.bar else tally.plain())

            self._decode(model, asked, on_answer)
        return Asked(answers, [self.value(answer) for answer in answers])

    def value(self, answer: str) -> float | None:
        """The number of an answer as `ask` gives it: a median is nothing else, whatever
        `evaluate.extract` looks for in what the model writes."""
        if self.part.decode == "median":
            return evaluation.extract_number(answer, "first")
        return self.read(answer)

    def read(self, text: str) -> float | None:
        """The number in what the model wrote."""
        return evaluation.extract_number(text, self.part.extract)

    def filled(self, asked: Asked) -> Floats:
        """Values [questions], unreadable ones replaced by the fallback."""
        return evaluation.fill_unreadable(asked.values, self.fallback)

    def save(self, folder: RunFolder, name: str, asked: Asked) -> None:
        """Write `evaluation/NAME.jsonl`, one prediction a line."""
        q = self.questions
        rows = [
            evaluation.Prediction(number, text, answer, value, float(truth)).as_json()
            for number, text, answer, value, truth in zip(
                q.numbers, q.texts, asked.answers, asked.values, q.truth, strict=True
            )
        ]
        write_json_lines(folder.evaluation / f"{name}.jsonl", rows)

    def table(self, values: dict[str, Floats]) -> dict[str, Any]:
        """All models' values side by side, as columns: what a page draws its charts from."""
        q = self.questions
        columns = {name: column.tolist() for name, column in values.items()}
        return {"row": q.numbers, "text": q.texts, "truth": q.truth.tolist(), "values": columns}

    def _decode(self, model: PeftModel, asked: list[Ids], on_answer: Any) -> None:
        tokenizer, tokens = self.stage.tokenizer, self.plan.micro_batch_tokens
        dtype = getattr(torch, self.plan.compute_dtype)
        with torch.autocast(self.plan.device, dtype, enabled=dtype != torch.float32):
            if self.part.decode == "greedy":
                sampling = Sampling(max_new_tokens=self.part.max_new_tokens)
                generate_answers(model, tokenizer, asked, sampling, tokens, on_answer)
            elif self.number_ids is not None:
                pad = tokenizer.pad_token_id or 0
                exact_medians(model, asked, self.number_ids, pad, tokens, on_answer)
            else:
                seed = self.stage.recipe.train.seed
                sampled_medians(model, tokenizer, asked, self.part.max_new_tokens, tokens,
                                self.read, on_answer, seed)  # fmt: skip

    def _single_tokens(self, train: Sequence[Example]) -> torch.Tensor | None:
        """Token ids of 0 to 999 where every training answer is such a number and such a token."""
        whole = re.compile(r"\d{1,3}")
        if self.part.decode != "median":
            return None
        if not all(whole.fullmatch(prompt_and_answer(example)[1]) for example in train):
            return None
        return number_token_ids(self.stage.tokenizer)


def evaluate(stage: Stage, plan: Plan, model: PeftModel, folder: RunFolder) -> dict[str, Any]:
    """Compare base, tuned model and references; writes `evaluation/`, prints table and verdict."""
    examiner = Examiner(stage, plan)
    part, seed = examiner.part, stage.recipe.train.seed
    shots = stage.shots
    asked: dict[str, Asked] = {}
    with untuned(model, stage.model_folder, stage.recipe.model, plan):
        asked[ZERO_SHOT] = examiner.ask(ZERO_SHOT, model)
        if shots:
            asked[FEW_SHOT] = examiner.ask(FEW_SHOT, model, shots)
    baseline = FEW_SHOT if shots else ZERO_SHOT
    asked[TUNED] = examiner.ask(TUNED, model)
    values = {name: examiner.filled(answers) for name, answers in asked.items()}
    values |= references(examiner)
    comparison = evaluation.compare(
        task="number",
        metric="mae",
        truth=examiner.questions.truth,
        predictions=values,
        baseline=baseline,
        tuned=TUNED,
        parse_rates={name: answers.parse_rate for name, answers in asked.items()},
        thresholds=examiner.thresholds,
        seed=seed,
        floor=FLOOR if part.floor else None,
    )
    comparison["test_reads"] = count_test_read(folder)
    examiner.save(folder, "baseline", asked[baseline])
    examiner.save(folder, "tuned", asked[TUNED])
    if shots:
        examiner.save(folder, "zero_shot", asked[ZERO_SHOT])
    folder.write("evaluation/predictions.json", examiner.table(values))
    folder.write("evaluation/comparison.json", comparison)
    print_comparison(comparison, evaluation.verdict(comparison))
    times = "once" if comparison["test_reads"] == 1 else f"{comparison['test_reads']} times"
    print(f"Choices were made on validation rows; this run has read its test rows {times}.")
    return comparison


def references(examiner: Examiner) -> dict[str, Floats]:
    """Predictions [questions] that need no language model, and a perfect guesser's where known.

    The ridge's penalty is chosen on validation rows, or on a tenth of the training rows where there
    are none.
    """
    splits, source = examiner.stage.prepared.splits, examiner.stage.recipe.data.train_name
    train, validation = list(splits.train), list(splits.validation)
    if len(validation) < 2:
        cut = max(2, len(train) // 10)
        train, validation = train[:-cut], train[-cut:]
    questions = examiner.questions
    found = {"constant": np.full(len(questions.truth), examiner.fallback)}
    ridges = evaluation.ridge_references(
        [prompt_and_answer(example)[0] for example in train],
        np.array([true_number(example, examiner.part, source) for example in train]),
        [prompt_and_answer(example)[0] for example in validation],
        np.array([true_number(example, examiner.part, source) for example in validation]),
        questions.texts,
    )
    found |= {name: ridge.predictions for name, ridge in ridges.items()}
    if examiner.part.floor:
        found[FLOOR] = np.array(
            [
                column_number(example, examiner.part.floor, "evaluate.floor", source)
                for example in examiner.test
            ]
        )
    return found


def count_test_read(folder: RunFolder) -> int:
    """Note that the test rows were read once more; gives how often that was."""
    path = folder.evaluation / "test_reads.json"
    reads = int(folder.read("evaluation/test_reads.json")["reads"]) + 1 if path.exists() else 1
    folder.write("evaluation/test_reads.json", {"reads": reads})
    return reads
