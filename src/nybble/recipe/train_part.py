"""How a recipe says that the adapters are trained."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from nybble.recipe.part import Part

Steps = Annotated[float, Field(ge=0)]
# What transformers calls the loss on validation rows.
FORMER_LOSSES = ("loss", "eval_loss")


class TrainPart(Part):
    """The optimisation. Counts of steps under 1 are shares of all steps."""

    num_train_epochs: float = Field(1.0, gt=0, description="passes over the training rows")
    max_steps: int = Field(-1, ge=-1, description="stop after so many steps; -1: run all epochs")
    batch_size: int = Field(32, ge=1, description="rows per optimiser step")
    batch_tokens: int | None = Field(
        None, ge=1, description="tokens per optimiser step, instead of batch_size rows"
    )
    learning_rate: float = Field(2e-4, gt=0, lt=1, description="of AdamW, after the warm-up")
    lr_scheduler_type: Literal["linear", "cosine", "constant_with_warmup"] = Field(
        "linear", description="after the warm-up; linear and cosine fall to 0"
    )
    warmup_steps: Steps = Field(0.03, description="steps, or a share of all when under 1")
    weight_decay: float = Field(0.0, ge=0, lt=1, description="of the adapters, by AdamW")
    adam_beta1: float = Field(0.9, ge=0, lt=1, description="decay of AdamW's mean of gradients")
    adam_beta2: float = Field(0.999, ge=0, lt=1, description="decay of its mean of their squares")
    adam_epsilon: float = Field(1e-8, gt=0, lt=1, description="AdamW divides by no less")
    optim: Literal["adamw_torch_fused", "adamw_8bit", "paged_adamw_8bit", "paged_adamw_32bit"] = (
        Field(
            "adamw_torch_fused",
            description="8bit: moments of a byte each; paged: moments may wait on the host (GPUs)",
        )
    )
    max_grad_norm: float = Field(1.0, gt=0, description="longer gradients are scaled down to it")
    eval_steps: Steps = Field(0.25, description="validation loss so often; 0: only at the end")
    save_strategy: Literal["no", "steps", "epoch"] = Field(
        "steps", description="steps: every save_steps; epoch: after each pass over the rows"
    )
    save_steps: Steps = Field(500, description="a checkpoint so often; 0: none")
    save_total_limit: int = Field(2, ge=1, description="checkpoints kept, and the best besides")
    logging_steps: float = Field(
        1, gt=0, description="a line in metrics.jsonl, and to trackers, so often"
    )
    load_best_model_at_end: bool = Field(
        False, description="adapter/ is the best evaluation's, which is saved when it is found"
    )
    metric_for_best_model: str = Field(
        "validation_loss", min_length=1, description="or one of the task's own metrics"
    )
    greater_is_better: bool | None = Field(
        None, description="of that metric; by default not of losses and errors"
    )
    early_stopping_patience: int | None = Field(
        None, ge=1, description="stop after so many evaluations in a row that were no better"
    )
    early_stopping_threshold: float = Field(
        0.0, ge=0, description="better by no more than this does not count"
    )
    recompute: Literal["auto", "none", "lean", "all"] | Annotated[int, Field(ge=0)] = Field(
        "auto",
        description="layers computed again in the backward; lean: norms and SwiGLU of all; "
        "a number: so many layers, and lean the others; auto: as few as the memory allows",
    )
    memory_gb: float | None = Field(
        None, gt=0, description="memory that training may take, in GB; by default what is free"
    )
    keep_attention: int = Field(
        0,
        ge=0,
        description="recomputed layers that keep attention's part: less to compute again; none "
        "where queries and keys are normed (Qwen3)",
    )
    offload: bool = Field(
        False, description="what recomputed layers keep waits in the host's memory (GPUs)"
    )
    host_vocabulary: bool = Field(
        False, description="embedding and head wait in the host's memory (GPUs); for large models"
    )
    pack_tokens: int | None = Field(
        None, ge=64, description="tokens computed at once; by default as many as pay and fit"
    )
    on_nan: Literal["stop", "skip"] = Field(
        "stop", description="at a loss that is not finite; skip leaves that step's update out"
    )
    report_to: list[Literal["tensorboard", "wandb", "mlflow", "trackio"]] = Field(
        [], description="trackers that are told of every step, each a package of its own"
    )
    project: str = Field("nybble", min_length=1, description="what trackers file the run under")
    run_name: str | None = Field(
        None, min_length=1, description="what trackers call the run; by default as its folder"
    )
    seed: int = Field(42, ge=0, description="of the new adapters, row order and dropout")
    deterministic: bool = Field(
        False, description="equal bits again on the same GPU, more slowly; CPUs give them anyway"
    )

    @model_validator(mode="before")
    @classmethod
    def _no_is_a_word(cls, fields: Any) -> Any:
        """YAML reads `save_strategy: no` as false."""
        if isinstance(fields, dict) and fields.get("save_strategy") is False:
            return fields | {"save_strategy": "no"}
        return fields

    @field_validator("report_to", mode="before")
    @classmethod
    def _one_or_none(cls, value: object) -> object:
        if isinstance(value, str):
            return [] if value == "none" else [value]
        return value

    @field_validator("metric_for_best_model")
    @classmethod
    def _todays_name(cls, value: str) -> str:
        if value in FORMER_LOSSES:
            raise ValueError("is called validation_loss here")
        return value

    @property
    def seeks_best(self) -> bool:
        """Whether anything depends on which evaluation is the best."""
        return self.load_best_model_at_end or self.early_stopping_patience is not None

    @field_validator("max_steps")
    @classmethod
    def _not_zero(cls, value: int) -> int:
        if value == 0:
            raise ValueError("must be -1 (run all epochs) or at least 1")
        return value
