"""How a recipe says that base and tuned model are judged."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from nybble.recipe.part import Part

TaskName = Literal["number", "code", "label", "text", "loss"]

METRICS: dict[str, tuple[str, ...]] = {
    "number": ("mae", "mse", "green"),
    "code": ("pass@K",),
    "label": ("accuracy",),
    "text": ("chrf", "rouge_l", "exact_match"),
    "loss": ("loss",),
}
"""The headline metrics of each task, the default first. Others are in the table beside it."""

OWN_METRIC = re.compile(r"(?P<path>.+\.py):(?P<function>[A-Za-z_]\w*)")

# Fields that say something of some tasks only, and the tasks that read them.
_OF_TASKS: dict[str, tuple[str, ...]] = {
    "greater_is_better": ("label", "text", "number"),
    "labels": ("label",),
    "choice": ("label",),
    "samples": ("code",),
    "timeout": ("code",),
    "decode": ("number",),
    "extract": ("number",),
    "floor": ("number",),
    "truth": ("number", "label", "text"),
}


class EvaluatePart(Part):
    """How base and tuned model are compared on test rows."""

    task: TaskName | None = Field(None, description="what the answers are")
    metric: str | None = Field(
        None,
        description="headline metric; by default mae, pass@1, accuracy, chrf or loss; or a "
        "function of yours as path.py:function",
    )
    greater_is_better: bool = Field(True, description="of a metric of yours")
    size: int = Field(500, ge=0, description="test rows; 0 skips the evaluation")
    during_training: int = Field(
        0, ge=0, description="validation rows to judge at every train.eval_steps"
    )
    slices: list[Annotated[str, Field(min_length=1)]] = Field(
        [], description="columns by whose values the results are also shown"
    )
    decode: Literal["greedy", "median"] = Field(
        "greedy", description="median: of the answer's distribution, best for absolute errors"
    )
    choice: Literal["generate", "likelihood"] = Field(
        "generate", description="likelihood: the answer is the label that the model finds likeliest"
    )
    labels: list[Annotated[str, Field(min_length=1)]] = Field(
        [], description="what an answer may be; by default what the training rows answer"
    )
    samples: int = Field(1, ge=1, le=1000, description="programs for each task, for pass@k")
    temperature: float = Field(0.0, ge=0, description="of the answers; 0 is greedy")
    stop: list[Annotated[str, Field(min_length=1)]] = Field(
        [], description="texts that end an answer, which holds none of them"
    )
    timeout: float = Field(10.0, gt=0, le=600, description="seconds that a program may run")
    max_new_tokens: int = Field(16, ge=1, le=4096, description="longest answer, in tokens")
    few_shot: int = Field(4, ge=0, le=64, description="examples in the fair baseline's prompt")
    extract: str = Field(
        "first",
        description="first or last number of the answer, currency: the first with a currency's "
        "sign; or a regular expression",
    )
    truth: str | None = Field(None, description="column of the true answer; else the completion's")
    floor: str | None = Field(None, description="column of the best possible guess, where known")
    green_within: float = Field(40.0, ge=0, description="absolute error that is green ...")
    green_share: float = Field(0.2, ge=0, description="... or relative error")
    orange_within: float = Field(80.0, ge=0, description="absolute error that is orange ...")
    orange_share: float = Field(0.4, ge=0, description="... or relative error; beyond is red")

    @property
    def own_metric(self) -> bool:
        """Whether the headline metric is a function of the user's own."""
        return self.metric is not None and OWN_METRIC.fullmatch(self.metric) is not None

    @property
    def headline(self) -> str:
        """The name of the headline metric; empty without a task."""
        if self.metric is not None:
            own = OWN_METRIC.fullmatch(self.metric)
            return own["function"] if own else self.metric
        return METRICS[self.task][0].replace("K", "1") if self.task else ""

    @property
    def of_k(self) -> int:
        """The k of pass@k; 1 for other metrics."""
        return int(self.metric[5:]) if self.metric and self.metric.startswith("pass@") else 1

    @field_validator("extract")
    @classmethod
    def _compiles(cls, value: str) -> str:
        if value not in ("first", "last", "currency"):
            try:
                groups = re.compile(value).groups
            except re.error as error:
                raise ValueError(f"is not a regular expression: {error}") from None
            if groups != 1:
                raise ValueError(
                    "must be first, last, currency, or a regular expression with one group"
                )
        return value

    @field_validator("labels")
    @classmethod
    def _told_apart(cls, value: list[str]) -> list[str]:
        plain = [label.strip().casefold() for label in value]
        if len(set(plain)) != len(plain) or "" in plain:
            raise ValueError("must differ in more than case and spaces, and not be blank")
        if len(value) == 1:
            raise ValueError("must be two or more, or none: then they are the training rows'")
        return value

    @model_validator(mode="after")
    def _orange_is_wider(self) -> Self:
        if self.orange_within < self.green_within or self.orange_share < self.green_share:
            raise ValueError("orange_within and orange_share must not be below the green ones")
        return self

    @model_validator(mode="after")
    def _metric_fits(self) -> Self:
        if self.metric is None or self.task is None:
            return self
        known = METRICS[self.task]
        if self.own_metric:
            if self.task in ("code", "loss"):
                raise ValueError(f"a metric of one's own is none of the task {self.task}")
            if any(self.headline in names for names in METRICS.values()):
                raise ValueError(f"a metric of one's own may not be called {self.headline}")
        elif self.task == "code":
            if not re.fullmatch(r"pass@[1-9]\d{0,3}", self.metric):
                raise ValueError("metric must be pass@1, pass@10, ... for the task code")
            if self.of_k > self.samples:
                raise ValueError(f"{self.metric} needs samples of at least {self.of_k}")
        elif self.metric not in known:
            raise ValueError(
                f"metric must be {', '.join(known)} for the task {self.task}, or path.py:function"
            )
        return self

    @model_validator(mode="after")
    def _fields_fit_the_task(self) -> Self:
        if self.task is None:
            return self
        for name, tasks in _OF_TASKS.items():
            default: Any = type(self).model_fields[name].get_default()
            if self.task not in tasks and getattr(self, name) != default:
                raise ValueError(f"{name} is for the task {' or '.join(tasks)}, not {self.task}")
        if not self.greater_is_better and not self.own_metric:
            raise ValueError("greater_is_better is for a metric of one's own (path.py:function)")
        if self.samples > 1 and self.temperature == 0:
            raise ValueError("samples over 1 need a temperature above 0, else all are the same")
        return self
