"""Memory that runs out anywhere: the same adapters, and what happened in the metrics."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import torch

from nybble.engine.step import TrainStep
from nybble.model.adapters import trainable_parameters
from nybble.planner.plan import Plan
from nybble.planner.tighter import tighter_plan
from nybble.runs.atomic import read_json_lines
from nybble.runs.errors import NybbleError
from nybble.training.recovery import Room, ran_out
from nybble.training.update import Update

pytestmark = pytest.mark.slow
MESSAGE = "CUDA out of memory. Tried to allocate 1.50 GiB. GPU 0 has ..."
# Six steps in two epochs. Every layer is recomputed, so what is left is to halve the packs.
ALL = {"micro_batch_tokens": 256, "keep_weights": False, "recompute_layers": 99}
FIELDS = {"rows": 24, "batch_size": 8, "max_steps": 6, "learning_rate": 2e-4, "planned": ALL}


class Injected:
    """Fails once, at the `at`-th call of what it stands for."""

    def __init__(self, real: Callable[..., Any], at: int, after: bool = False) -> None:
        self.real, self.left, self.after = real, at, after
        self.failed = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.left -= 1
        if self.left == 0:
            self.failed = True
            if self.after:
                self.real(*args, **kwargs)
            raise torch.OutOfMemoryError(MESSAGE)
        return self.real(*args, **kwargs)


@contextmanager
def injected(owner: Any, name: str, at: int, after: bool = False) -> Iterator[Injected]:
    before = getattr(owner, name)
    stands = Injected(before, at, after)
    object.__setattr__(owner, name, stands)  # layers are frozen
    try:
        yield stands
    finally:
        object.__setattr__(owner, name, before)


def layer(number: int) -> Callable[[Any], Any]:
    return lambda run: run.train_step.path.transformer.layers[number]


# Where it strikes: what is replaced, its attribute, at which call, and whether after its work.
PLACES = {
    "first step, first layer, forward": (layer(0), "activations", 1, False),
    "last layer, forward": (layer(-1), "activations", 2, True),
    "a middle layer, backward": (layer(1), "backward", 2, True),
    "first layer, backward": (layer(0), "backward", 3, True),
    "head": (lambda run: run.train_step.path.transformer, "_head_loss", 4, True),
    "second epoch": (lambda run: run.train_step.path, "train", 4, True),
    "last step": (lambda run: run.train_step.path, "train", 6, True),
    "clipping": (lambda run: torch.nn.utils, "clip_grad_norm_", 3, True),
    "optimiser": (lambda run: run.update.optimizer, "step", 2, False),
    "optimiser's state": (lambda run: torch, "zeros_like", 9, False),
    "evaluation": (lambda run: run.train_step.path, "evaluate", 2, False),
    "a save": ("nybble.training.checkpoint", "save_adapter", 1, True),
}


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    return {}


def adapters(run: Any) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in trainable_parameters(run.model).values()])


@pytest.mark.parametrize("place", PLACES)
def test_the_adapters_are_those_of_a_run_with_memory_enough(
    make_trainer, tmp_path, expected, place: str
) -> None:
    if not expected:
        run = make_trainer(tmp_path / "whole", **FIELDS)
        run.run()
        expected["adapters"] = adapters(run)
        expected["lines"] = read_json_lines(tmp_path / "whole" / "metrics.jsonl")
    run = make_trainer(tmp_path / "run", **FIELDS)
    owner, name, at, after = PLACES[place]
    if isinstance(owner, str):
        import importlib

        held = importlib.import_module(owner)
    else:
        held = owner(run)
    with injected(held, name, at, after) as stands:
        run.run()
    assert stands.failed, "memory never ran out"
    assert run.train_step.plan.micro_batch_tokens == 128
    found, whole = adapters(run), expected["adapters"]
    assert float((found - whole).norm() / whole.norm()) < 1e-5
    lines = read_json_lines(tmp_path / "run" / "metrics.jsonl")
    (told,) = [line for line in lines if "out_of_memory" in line]
    assert "tokens at once" in told["out_of_memory"]
    again = [line for line in lines if "out_of_memory" not in line]
    keys = ("step", "tokens", "scored_tokens", "learning_rate")
    assert [[r.get(k) for k in keys] for r in again] == [
        [r.get(k) for k in keys] for r in expected["lines"]
    ]
    for one, other in zip(again, expected["lines"], strict=True):
        for key in {"loss", "validation_loss"} & one.keys():
            assert one[key] == pytest.approx(other[key], rel=1e-5)


def test_a_step_is_tried_with_ever_less(make_trainer, tmp_path) -> None:
    """Weights let go, layers lean and recomputed, packs halved, until they fit."""
    run = make_trainer(tmp_path, **(FIELDS | {"planned": {"micro_batch_tokens": 256}}))
    train = type(run.train_step.path).train
    sizes = []

    def small(path, pack, *rest):
        sizes.append(len(pack.input_ids))
        if len(pack.input_ids) > 64:
            raise torch.OutOfMemoryError(MESSAGE)
        train(path, pack, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(run.train_step.path), "train", small)
        run.run()
    lines = read_json_lines(tmp_path / "metrics.jsonl")
    assert len([line for line in lines if "out_of_memory" in line]) == 7
    assert max(sizes) > 64 >= max(sizes[-6:])
    assert run.train_step.plan.recompute_layers == run.room.layers
    whole = make_trainer(tmp_path / "whole", **FIELDS)
    whole.run()
    assert float((adapters(run) - adapters(whole)).norm() / adapters(whole).norm()) < 1e-5


def test_where_nothing_takes_less_two_lines_say_so(make_trainer, tmp_path) -> None:
    run = make_trainer(tmp_path, **FIELDS)

    def never(path, *rest):
        raise torch.OutOfMemoryError(MESSAGE)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(run.train_step.path), "train", never)
        with pytest.raises(NybbleError) as told:
            run.run()
    assert "out of memory: 1.50 GiB more were asked for, at step 1, with" in told.value.message
    assert "no plan takes less" in told.value.message
    assert "data.max_length" in told.value.fix


def test_a_resumed_training_begins_as_tight(make_trainer, tmp_path) -> None:
    run = make_trainer(tmp_path / "a", **FIELDS)
    with injected(run.train_step.path, "train", 2):
        run.run()
    resumed = make_trainer(tmp_path / "b", **FIELDS)
    resumed.run(tmp_path / "a" / "checkpoints" / "checkpoint-3")
    assert resumed.train_step.plan == run.train_step.plan != resumed.room.begun
    assert torch.equal(adapters(run), adapters(resumed))


def test_fp16_goes_on_with_the_same_scale(make_trainer, tmp_path) -> None:
    run = make_trainer(tmp_path, **FIELDS)
    run.train_step.dtype = torch.float16
    run.update = Update(run.update.parameters, run.part, "cpu", fp16=True)
    with injected(run.update.optimizer, "step", 2):
        run.run()
    assert run.update.scaler.is_enabled()
    assert run.update.loss_scale <= 2.0**16
    assert len([x for x in read_json_lines(tmp_path / "metrics.jsonl") if "loss" in x]) == 6


def test_a_stock_model_recomputes_and_pads_less(stage, plan, mini_model) -> None:
    """Its own forward; gradients are as before."""
    from nybble.data.batches import make_step
    from nybble.engine.step import layout_of
    from nybble.engine.stock import StockPath

    step = TrainStep(mini_model, plan, 5)
    step.path, step.why_stock = StockPath(mini_model, "cpu", torch.float32, 5), "for the test"
    step.layout = layout_of(plan, packed=False)
    batch = make_step(stage.prepared.train[:8], range(8), step.layout)
    loss = float(step(batch, 0))
    before = torch.cat([p.grad.flatten() for p in step.parameters]).clone()
    step.tighten(replace(plan, micro_batch_tokens=64, recompute_layers=99))
    assert float(step(batch, 0)) == pytest.approx(loss, rel=1e-6)
    after = torch.cat([p.grad.flatten() for p in step.parameters])
    assert float((after - before).norm() / before.norm()) < 1e-5


def test_an_error_that_came_of_it_is_recognised() -> None:
    try:
        try:
            raise torch.OutOfMemoryError(MESSAGE)
        finally:
            raise RuntimeError("operation failed due to a previous error during capture")
    except RuntimeError as error:
        known = ran_out(error)
    assert known
    assert "1.50 GiB" in known.message
    assert ran_out(RuntimeError("size mismatch")) is None


class PlanHolder:
    """Of a step, its plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def tighten(self, plan: Plan) -> None:
        self.plan = plan


def test_whatever_is_tightened_is_remembered() -> None:
    """Plan after plan, as tight as can be: a resumed training begins with each as it was."""
    first = plan = Plan(
        device="cuda", device_name="x", compute_dtype="bfloat16", weight_bytes=0, reason="",
        bytes_per_token=0, micro_batch_tokens=400, recompute_layers=4, lean_layers=0,
        keep_weights=True, offload=False, host_vocabulary=False, buffer_bytes=2**28,
        attention_layers=3,
    )  # fmt: skip
    while (tight := tighter_plan(plan, 8, 100)) is not None:
        plan = tight
        begun, resumed = (Room(PlanHolder(first), 8, 100, print) for _ in range(2))
        begun.train_step.tighten(plan)
        resumed.restore(json.loads(json.dumps(begun.state())))
        assert resumed.train_step.plan == plan
    assert plan.attention_layers == 0
