"""`TrainStep`: one optimiser step's forward and backward, and the loss of law 2.

The loss is the sum over the scored tokens of the whole step, divided by their number, so it is the
same for any packs. Families that the engine knows run on it; any other model runs on its own
forward and autograd.
"""

import gc
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor, nn

from nybble.data.batches import Pack, StepBatch
from nybble.data.packing import Layout
from nybble.data.sizes import halved_sizes
from nybble.data.smaller_packs import split_pack
from nybble.engine.fast import FastPath
from nybble.engine.gradients import ExactGradients, Gradients
from nybble.engine.settings import Settings, Unsupported
from nybble.engine.stock import StockPath, recompute_stock
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
        self.plan = plan
        self.seed = seed
        self.team = team
        self.device = plan.device
        self.dtype = getattr(torch, plan.compute_dtype)
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        # On a CPU an exact sum costs next to nothing; on a GPU it would take memory that is short.
        kind = ExactGradients if plan.device == "cpu" else Gradients
        self.gradients = kind(self.parameters, team)
        self.scale = torch.ones((), device=self.device)
        self.why_stock: str | None = None
        self.path: Path
        try:
            self.path = self._fast_path()
        except Unsupported as reason:
            self.why_stock = str(reason)
            self.path = StockPath(model, self.device, self.dtype, seed)
        self.layout = replace(layout_of(plan, self.why_stock is None), processes=team.size)

    def tighten(self, plan: Plan) -> None:
        """Go on as `plan` says, in less memory; larger packs are split from here on."""
        self.plan = plan
        self.layout = replace(layout_of(plan, self.why_stock is None), processes=self.team.size)
        if self.why_stock is None:
            del self.path  # its graphs and buffers go before new ones come
        gc.collect()
        if self.device == "cuda":
            torch.cuda.empty_cache()
        if self.why_stock is None:
            self.path = self._fast_path()
        elif plan.recompute_layers:
            recompute_stock(self.model)

    def _fast_path(self) -> FastPath:
        plan = self.plan
        settings = Settings(
            recompute_layers=plan.recompute_layers,
            lean_layers=plan.lean_layers,
            attention_layers=plan.attention_layers,
            keep_weights=plan.keep_weights,
            offload=plan.offload,
            host_vocabulary=plan.host_vocabulary,
            buffer_bytes=plan.buffer_bytes,
        )
        return FastPath(self.model, settings, self.dtype, plan.micro_batch_tokens, self.seed)

    def __call__(self, batch: StepBatch, step: int, loss_scale: float = 1.0) -> Tensor:
        """Run forward and backward; the mean loss [] over scored tokens, left on the device.

        Gradients are those of the mean loss times `loss_scale`; earlier ones are forgotten.
        """
        self.gradients.begin()
        # Not a copy from the host's memory: that would wait for the step before.
        self.scale.fill_(loss_scale / batch.scored_tokens)
        self.path.begin()
        for pack in self._own(batch):
            self.path.train(pack, step, self.scale, self.gradients.loss)
            self.gradients.take()
        return self.gradients.total() / batch.scored_tokens

    @torch.no_grad()
    def evaluate(self, batches: Sequence[StepBatch]) -> float:
        """Mean loss over all scored tokens of `batches`, without dropout."""
        total = torch.zeros((), device=self.device, dtype=torch.float64)
        self.path.begin()
        for batch in batches:
            for pack in self._own(batch):
                loss = torch.zeros((), device=self.device)
                self.path.evaluate(pack, loss)
                total += loss
        return float(self.team.sum_(total)) / sum(batch.scored_tokens for batch in batches)

    def _own(self, batch: StepBatch) -> Iterator[Pack]:
        """The packs that this process computes, split where the plan got tighter since."""
        for pack in self.team.own(batch.packs):
            if pack.size > self.layout.capacity:
                yield from split_pack(pack, self.layout)
            else:
                yield pack


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
