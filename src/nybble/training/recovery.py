"""Out of memory in the middle of a training: the same work again, with a plan that takes less."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ParamSpec, TypeVar

from nybble.engine.step import TrainStep
from nybble.planner.tighter import tightened_line, tighter_plan
from nybble.runs.errors import NybbleError, memory_error

P = ParamSpec("P")
T = TypeVar("T")
# What of a plan is tightened, and so kept in a checkpoint.
TIGHTENED = ("micro_batch_tokens", "recompute_layers", "lean_layers", "attention_layers",
             "keep_weights", "offload", "buffer_bytes")  # fmt: skip


class Room:
    """Makes room for work that ran out of memory.

    `layers` are the model's, `longest` the tokens of the longest row. `told` hears of each tighter
    plan: the step that it is for, and the plan in a few words.
    """

    def __init__(
        self, train_step: TrainStep, layers: int, longest: int, told: Callable[[int, str], None]
    ) -> None:
        self.train_step = train_step
        self.layers = layers
        self.longest = longest
        self.told = told
        self.begun = train_step.plan

    def do(self, step: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `work` gives, which leaves no trace where it fails; tried as often as plans allow.

        Raises `NybbleError` where nothing is left to try.
        """
        while True:
            try:
                return work(*args, **kwargs)
            except Exception as error:
                known = ran_out(error)
                if known is None:
                    raise
            # Out here nothing holds on to what the failed work had made.
            self._tighten(step, known)

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps: how the plan was tightened, empty where it was not."""
        plan = self.train_step.plan
        if plan == self.begun:
            return {}
        return {"device_name": plan.device_name} | {n: getattr(plan, n) for n in TIGHTENED}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on as tight as `state` says, on the same kind of device."""
        plan = self.train_step.plan
        if state and state["device_name"] == plan.device_name:
            known = {name: state[name] for name in TIGHTENED if name in state}
            self.train_step.tighten(replace(plan, **known))

    def _tighten(self, step: int, known: NybbleError) -> None:
        plan = tighter_plan(self.train_step.plan, self.layers, self.longest)
        if plan is None:
            raise NybbleError(
                f"{known.message.rstrip('.')}, at step {step:,}, with "
                f"{tightened_line(self.train_step.plan, self.layers)}: no plan takes less.",
                known.fix,
            )
        self.train_step.tighten(plan)
        self.told(step, tightened_line(plan, self.layers))


def ran_out(error: Exception) -> NybbleError | None:
    """The two lines where `error` is memory that ran out, or came of that; None where it is not.

    A graph that could not be captured to its end raises an error of its own, after the first one.
    """
    seen: BaseException | None = error
    while seen is not None:
        known = memory_error(seen) if isinstance(seen, Exception) else None
        if known:
            return known
        seen = seen.__cause__ or seen.__context__
    return None
