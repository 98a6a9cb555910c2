"""`TrainStep`: one optimiser step's forward and backward, and the loss of law 2.

The loss is the sum over the scored tokens of the whole step, divided by their number, so it is the
same for any packs. Families that the engine knows run on it; any other model runs on its own
forward and autograd.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor, nn

from nybble.data.batches import Pack, StepBatch
from nybble.data.packing import Layout
from nybble.data.sizes import halved_sizes
from nybble.engine.fast import FastPath
from nybble.engine.settings import Settings, Unsupported
from nybble.engine.stock import StockPath
from nybble.engine.team import ALONE, Team
from nybble.planner.plan import Plan


class Path(Protocol):
    """Computes packs: adds their losses to `loss` [], and gradients of the scaled sum."""

    def begin(self) -> None: ...

    def train(self, pack: Pack, step: int, scale: Tensor, loss: Tensor) -> None: ...

    def evaluate(self, pack: Pack, loss: Tensor) -> None: ...


class TrainStep:
    """Gradients of one step, in the parameters' `.grad`.

    `why_stock` is None on the engine, else says why the stock model is run. Where several processes
    train together, each computes the packs of its own, and all get the whole step's gradients.
    """

    def __init__(self, model: nn.Module, plan: Plan, seed: int = 0, team: Team = ALONE) -> None:
        self.model = model
        self.team = team
        self.device = plan.device
        self.dtype = getattr(torch, plan.compute_dtype)
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.gradients, self.flat = team.gradients(self.parameters)
        self.scale = torch.ones((), device=self.device)
        self.why_stock: str | None = None
        self.path: Path
        try:
            settings = Settings(
                recompute_layers=plan.recompute_layers,
                lean_layers=plan.lean_layers,
                attention_layers=plan.attention_layers,
                keep_weights=plan.keep_weights,
                offload=plan.offload,
                host_vocabulary=plan.host_vocabulary,
                buffer_bytes=plan.buffer_bytes,
            )
            self.path = FastPath(model, settings, self.dtype, plan.micro_batch_tokens, seed)
        except Unsupported as reason:
            self.why_stock = str(reason)
            self.path = StockPath(model, self.device, self.dtype, seed)
        self.layout = replace(layout_of(plan, self.why_stock is None), processes=team.size)

    def __call__(self, batch: StepBatch, step: int, loss_scale: float = 1.0) -> Tensor:
        """Run forward and backward; the mean loss [] over scored tokens, left on the device.

        Gradients are those of the mean loss times `loss_scale`; earlier ones are forgotten.
        """
        torch._foreach_zero_(self.gradients)
        for parameter, gradient in zip(self.parameters, self.gradients, strict=True):
            parameter.grad = gradient
        # Not a copy from the host's memory: that would wait for the step before.
        self.scale.fill_(loss_scale / batch.scored_tokens)
        loss = torch.zeros((), device=self.device)
        self.path.begin()
        for pack in self.team.own(batch.packs):
            self.path.train(pack, step, self.scale, loss)
        return self.team.sum_step(self.flat, loss) / batch.scored_tokens

    @torch.no_grad()
    def evaluate(self, batches: Sequence[StepBatch]) -> float:
        """Mean loss over all scored tokens of `batches`, without dropout."""
        total = torch.zeros((), device=self.device, dtype=torch.float64)
        self.path.begin()
        for batch in batches:
            for pack in self.team.own(batch.packs):
                loss = torch.zeros((), device=self.device)
                self.path.evaluate(pack, loss)
                total += loss
        return float(self.team.sum_(total)) / sum(batch.scored_tokens for batch in batches)


def layout_of(plan: Plan, packed: bool) -> Layout:
    """How the loader groups rows for the engine, or padded for a stock model.

    On a GPU packs are replayed from captured graphs of few sizes; a loader fits them to its rows.
    """
    if not packed:
        return Layout(plan.micro_batch_tokens, padded=True)
    if plan.device != "cuda":
        return Layout(plan.micro_batch_tokens)
    sizes = halved_sizes(plan.micro_batch_tokens)
    return Layout(sizes[-1], sizes)
