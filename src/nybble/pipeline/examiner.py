"""Asks models the same rows, always in the same way, and has their answers judged."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch

from nybble.data.examples import Example
from nybble.evaluation.extraction import extract_number
from nybble.evaluation.making import labels_of
from nybble.evaluation.task import Answers, Item, Judged, Task
from nybble.generation.cache import ModelCache
from nybble.generation.greedy import generate_answers
from nybble.generation.median import exact_medians, number_token_ids, sampled_medians
from nybble.generation.sampling import Sampling
from nybble.pipeline.questions import Ids, prompt_and_answer, prompts
from nybble.pipeline.scoring import choose_labels, score_rows
from nybble.pipeline.stage import Stage
from nybble.pipeline.truths import items_of
from nybble.planner.plan import Plan
from nybble.recipe.evaluate_part import EvaluatePart
from nybble.report.terminal import Tally
from nybble.training.progress import watch

OnAnswer = Callable[[int, str], None]
# Tasks whose answers are judged as they come in: a program's tests take seconds.
_AT_ONCE = ("number", "label", "text")


class Examiner:
    """Asks a model the rows of `examples`: a run's test rows, or some of its validation rows."""

    def __init__(self, stage: Stage, plan: Plan, examples: Sequence[Example]) -> None:
        assert stage.task is not None
        self.stage = stage
        self.plan = plan
        self.part: EvaluatePart = stage.recipe.evaluate
        self.task: Task = stage.task
        # The median of a distribution is written without what models write around a number.
        self.reading = stage.task.plain() if self.part.decode == "median" else stage.task
        self.examples = examples
        self.items: list[Item] = items_of(examples, self.part, stage.recipe.data.train_name)
        self.number_ids = self._single_tokens()

    def ask_quietly(self, model: Any) -> list[Answers]:
        """What `model` says to every row."""
        answers: list[list[str]] = [[] for _ in self.items]
        self._answer(model, (), None, lambda place, text: answers[place].append(text))
        return [tuple(said) for said in answers]

    def ask(
        self,
        name: str,
        model: Any,
        shots: Sequence[Example] = (),
        cache: ModelCache | None = None,
    ) -> list[Answers]:
        """What `model` says to every row, with a tally as the answers come in.

        Texts that `cache` holds are not asked again.
        """
        answers: list[list[str]] = [[] for _ in self.items]
        tally = Tally(self.task.metric)
        done = 0
        with watch(name, len(answers)) as bar:

            def on_answer(place: int, text: str) -> None:
                nonlocal done
                answers[place].append(text)
                if len(answers[place]) < self.part.samples:
                    return
                done += 1
                note = ""
                if self.task.name in _AT_ONCE:
                    (judged,) = self.reading.judge([self.items[place]], [(text,)])
                    note = tally.add(judged)
                bar.update(done, note if bar.bar else tally.plain())

            self._answer(model, shots, cache, on_answer)
        return [tuple(said) for said in answers]

    def judge(self, answers: Sequence[Answers]) -> list[Judged]:
        """A model's answers, read and scored."""
        return self.reading.judge(self.items, answers)

    def judge_plain(self, answers: Sequence[Answers]) -> list[Judged]:
        """Answers that hold nothing else: a reference's."""
        return self.task.plain().judge(self.items, answers)

    def _answer(
        self,
        model: Any,
        shots: Sequence[Example],
        cache: ModelCache | None,
        on_answer: OnAnswer,
    ) -> None:
        dtype = getattr(torch, self.plan.compute_dtype)
        with torch.autocast(self.plan.device, dtype, enabled=dtype != torch.float32):
            if self.task.name == "loss":
                score_rows(self.stage, self.plan, model, self.examples, on_answer)
                return
            if self.part.choice == "likelihood":
                labels = labels_of(self.task)
                choose_labels(self.stage, self.plan, model, self.examples, shots, labels, on_answer)
                return
            asked = prompts(self.examples, self.stage.renderer, shots)
            if self.part.decode == "median":
                self._medians(model, asked, cache, on_answer)
            else:
                self._write(model, asked, cache, on_answer)

    def _write(
        self, model: Any, asked: list[Ids], cache: ModelCache | None, on_answer: OnAnswer
    ) -> None:
        sampling = Sampling(
            temperature=self.part.temperature,
            max_new_tokens=self.part.max_new_tokens,
            seed=self.stage.recipe.train.seed,
            stop=tuple(self.part.stop),
        )
        tokenizer, tokens = self.stage.tokenizer, self.plan.micro_batch_tokens
        generate_answers(
            model, tokenizer, asked, sampling, tokens, on_answer, self.part.samples, cache=cache
        )

    def _medians(
        self, model: Any, asked: list[Ids], cache: ModelCache | None, on_answer: OnAnswer
    ) -> None:
        tokenizer, tokens = self.stage.tokenizer, self.plan.micro_batch_tokens
        if self.number_ids is not None:
            pad = tokenizer.pad_token_id or 0
            exact_medians(model, asked, self.number_ids, pad, tokens, on_answer)
            return
        read = partial(extract_number, how=self.part.extract)
        sampled_medians(
            model, tokenizer, asked, self.part.max_new_tokens, tokens, read, on_answer,
            self.stage.recipe.train.seed, cache, tuple(self.part.stop),
        )  # fmt: skip

    def _single_tokens(self) -> torch.Tensor | None:
        """Token ids of 0 to 999 where every training answer is such a number and such a token."""
        whole = re.compile(r"\d{1,3}")
        if self.part.decode != "median":
            return None
        train = self.stage.prepared.splits.train
        if not all(whole.fullmatch(prompt_and_answer(example)[1]) for example in train):
            return None
        return number_token_ids(self.stage.tokenizer)
