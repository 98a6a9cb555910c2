"""The recipe: everything a run depends on, as a typed value.

Field names are those of `LoraConfig` and `TrainingArguments` (transformers 5). One differs on
purpose: `batch_size` is the number of rows per optimiser step. How many of them are computed at
once is the planner's business and never changes what is learnt.
"""

import datetime
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from nybble.recipe.evaluate_part import EvaluatePart
from nybble.recipe.part import Part
from nybble.recipe.publish_part import PublishPart
from nybble.recipe.row_parts import RowRange, Truncation
from nybble.recipe.train_part import TrainPart
from nybble.recipe.train_source import (
    Columns,
    Completion,
    Prompt,
    Reading,
    RowFormat,
    TestCompletion,
    TrainSource,
)


class ModelPart(Part):
    """The base model and how its weights are held."""

    base: str = Field(min_length=1, description="hub id, folder, or bundled:mini")
    revision: str = Field("main", description="branch, tag or commit on the Hub")
    quantization: Literal["nf4", "fp4", "int8", "none"] = Field(
        "nf4", description="nf4 and fp4: 4 bits with double quantisation; int8: LLM.int8()"
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="compute precision; auto asks the device"
    )
    adapter: str | None = Field(None, description="an adapter to go on from: folder or hub id")
    new_tokens: list[Annotated[str, Field(min_length=1)]] = Field(
        [], description="texts that become tokens of their own, such as <|tool|>, and are learnt"
    )
    trust_remote_code: bool = Field(False, description="run Python code that the model ships")

    @field_validator("new_tokens")
    @classmethod
    def _each_once(cls, value: list[str]) -> list[str]:
        if len(set(value)) < len(value):
            raise ValueError("must not name a token twice")
        if any(token != token.strip() for token in value):
            raise ValueError("must not begin or end with a space")
        return value


class DataPart(Reading):
    """Rows, and what of each row is the prompt and what the model has to say."""

    train: Annotated[str, Field(min_length=1)] | list[TrainSource] = Field(
        min_length=1,
        description="file, hub id, or bundled:catalogue; or several, each with source and weight",
    )
    mixture: Literal["up-sample", "cap"] = Field(
        "up-sample", description="several sources meet their weights by repeating or leaving rows"
    )
    revision: str = Field("main", description="of a data set on the Hub")
    validation: int | float | RowRange | str = Field(
        200, description="rows taken from train: how many, a share, or a range; or a source"
    )
    test: int | float | RowRange | str = Field(
        500, description="rows taken from train: how many, a share, or a range; or a source"
    )
    rows: RowRange | None = Field(None, description="leave out train's rows outside this range")
    split_by: str | None = Field(
        None, min_length=1, description="column whose equal values stay in one part; or first_turn"
    )
    duplicates: Literal["report", "remove"] = Field(
        "report", description="rows that repeat a test, validation or earlier training row"
    )
    limit: int | None = Field(None, ge=1, description="take only the first rows")
    format: RowFormat = "auto"
    columns: Columns = Field({})
    prompt: Prompt = None
    completion: Completion = None
    test_completion: TestCompletion = None
    seed: int = Field(0, ge=0, description="of the split into train, validation and test")
    date: datetime.date | None = Field(
        None, description="the day that chat templates are told; fixed when a run begins"
    )
    chat_template: Literal["chatml", "llama-3.1", "alpaca", "vicuna", "zephyr", "plain"] | None = (
        Field(None, description="for a base model that has none; else its own is used")
    )
    score: Literal["assistant", "last", "completion", "all"] = Field(
        "completion",
        description="completion and assistant: every answer; last: the last one; all: every token",
    )
    max_length: int = Field(1024, ge=8, le=1_000_000, description="longest row, in tokens")
    max_prompt_length: int | None = Field(
        None,
        ge=1,
        description="tokens of a prompt; longer ones lose their beginning or their oldest turns",
    )
    truncate: Truncation | None = Field(
        None, description="a column to shorten wherever a row shows it"
    )
    allow_drops: bool = Field(False, description="go on when over 1% of the rows must be dropped")

    @field_validator("validation", "test")
    @classmethod
    def _count_or_share(cls, value: int | float | RowRange | str) -> int | float | RowRange | str:
        if isinstance(value, int) and value < 0:
            raise ValueError("must be 0 or more rows, or a source")
        if isinstance(value, float) and not 0 < value < 1:
            raise ValueError("must be a whole number of rows, or a share between 0 and 1")
        return value

    @property
    def train_sources(self) -> list[str]:
        """The sources of the training rows."""
        return [self.train] if isinstance(self.train, str) else [t.source for t in self.train]

    @property
    def train_name(self) -> str:
        """What errors and pages call the training rows."""
        return " + ".join(self.train_sources)


class LoraPart(Part):
    """The adapters. `lora: null`: there are none, and every weight of the model is trained."""

    r: int = Field(16, ge=1, le=1024, description="rank: width of the two thin matrices")
    lora_alpha: float = Field(32, gt=0, description="the update is scaled by lora_alpha / r")
    lora_dropout: float = Field(
        0.0, ge=0, lt=1, description="share of the adapter's input that is dropped in training"
    )
    target_modules: Literal["attention", "all-linear"] | list[str] = Field(
        "all-linear", description="attention: q, k, v, o; all-linear: also the MLP; or module names"
    )
    modules_to_save: list[str] = Field(
        [], description="modules trained whole and saved with the adapter, such as embed_tokens"
    )
    variant: Literal["lora", "rslora", "dora"] = Field(
        "lora",
        description="rslora scales by lora_alpha / sqrt(r); dora also learns each output's length",
    )

    @field_validator("target_modules")
    @classmethod
    def _some_module(cls, value: str | list[str]) -> str | list[str]:
        if not value:
            raise ValueError("must be attention, all-linear, or at least one module name")
        return value


class Recipe(Part):
    """A whole recipe. Only `name`, `model.base` and `data.train` have no default."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        max_length=80,
        description="begins the name of the run's folder",
    )
    summary: str = Field("", description="one line on what it does")
    model: ModelPart
    data: DataPart
    lora: LoraPart | None = Field(
        LoraPart(), description="the adapters, or null to train every weight of the model"
    )
    train: TrainPart = TrainPart()
    evaluate: EvaluatePart = EvaluatePart()
    publish: PublishPart = PublishPart()

    @model_validator(mode="after")
    def _whole_models_are_plain(self) -> Self:
        if self.lora is not None:
            return self
        if self.model.quantization != "none":
            raise ValueError(
                f"lora: null trains every weight, and those of {self.model.quantization} cannot "
                "be: say model.quantization=none"
            )
        if self.model.adapter is not None:
            raise ValueError("lora: null trains no adapter: leave out model.adapter")
        return self

    @model_validator(mode="after")
    def _best_of_some_evaluations(self) -> Self:
        if self.train.seeks_best and self.data.validation == 0:
            raise ValueError(
                "train.load_best_model_at_end and train.early_stopping_patience judge by "
                "validation rows, and data.validation is 0"
            )
        if self.train.early_stopping_patience is not None and self.train.eval_steps == 0:
            raise ValueError("train.early_stopping_patience needs train.eval_steps over 0")
        metric = self.train.metric_for_best_model
        if not self.train.seeks_best or metric == "validation_loss":
            return self
        if not metric.startswith("validation_"):
            raise ValueError(
                f"train.metric_for_best_model = {metric} is not measured while training: it is "
                f"validation_loss, or as validation_{metric} one of the task's own"
            )
        judged = self.evaluate.task and self.evaluate.size and self.evaluate.during_training
        if not judged:
            raise ValueError(
                f"train.metric_for_best_model = {metric} is measured by evaluate.during_training "
                "rows, which needs to be over 0, as evaluate.size, and evaluate.task said"
            )
        return self

    @property
    def training(self) -> TrainPart:
        """`train`, and which way is better where `evaluate` says it of a metric of one's own."""
        own = self.evaluate.own_metric and f"validation_{self.evaluate.headline}"
        if self.train.greater_is_better is None and self.train.metric_for_best_model == own:
            greater = self.evaluate.greater_is_better
            return self.train.model_copy(update={"greater_is_better": greater})
        return self.train


def sections() -> dict[str, type[Part]]:
    """The recipe's sections by name, also the one that may be null."""
    found = {}
    for name, field in Recipe.model_fields.items():
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, Part):
                found[name] = kind
    return found
