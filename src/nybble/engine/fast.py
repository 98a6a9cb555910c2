"""The engine's path: packs through `Transformer`, replayed from captured graphs where there are."""

import torch
from torch import Tensor, nn

from nybble.data.batches import Pack
from nybble.engine.activations import Frame
from nybble.engine.dropout import token_keys
from nybble.engine.graphs import Graphs
from nybble.engine.inputs import (
    Inputs,
    Sizes,
    exact_sizes,
    fill_inputs,
    fixed_sizes,
    make_inputs,
)
from nybble.engine.settings import Settings
from nybble.engine.transformer import Transformer


class FastPath:
    """Raises `Unsupported` for a model that the engine does not compute."""

    def __init__(
        self, model: nn.Module, settings: Settings, dtype: torch.dtype, longest: int, seed: int
    ) -> None:
        self.transformer = Transformer(model, settings, dtype, longest)
        self.seed = seed
        self.drops = any(group.drops for group in self.transformer.groups)
        on_gpu = self.transformer.device.type == "cuda"
        self.graphs = Graphs(self._inputs) if on_gpu else None

    def begin(self) -> None:
        """Take over the adapters' values of this step."""
        with torch.no_grad():
            self.transformer.refresh()

    def train(self, pack: Pack, step: int, scale: Tensor, loss: Tensor) -> None:
        """Add the pack's losses to `loss` [], and gradients of the sum times `scale` []."""
        keys = token_keys(self.seed, step, pack.row_numbers, pack.positions)
        if self.graphs is None:
            inputs = self._inputs(exact_sizes(pack))
            fill_inputs(inputs, pack, keys, self.transformer.embedding)
            self._compute(inputs, scale, loss)
            return
        # On aligned packs cuDNN's backward adds up in any order; FlashAttention has a fixed one.
        sizes = fixed_sizes(pack, align=not torch.are_deterministic_algorithms_enabled())
        graph = self.graphs.get(
            sizes, self._prepare, lambda i, total: self._compute(i, scale, total)
        )
        fill_inputs(graph.inputs, pack, keys, self.transformer.embedding)
        loss += graph.replay()

    def _prepare(self, inputs: Inputs) -> None:
        with torch.no_grad():
            self.transformer.prepare(inputs.sizes.tokens, inputs.rows)

    def _compute(self, inputs: Inputs, scale: Tensor, loss: Tensor) -> None:
        frame = self._frame(inputs, self.drops)
        self.transformer.run(inputs, frame, scale, loss)

    def evaluate(self, pack: Pack, loss: Tensor) -> None:
        """Add the pack's losses to `loss` [], without dropout."""
        inputs = self._inputs(exact_sizes(pack))
        keys = token_keys(0, 0, pack.row_numbers, pack.positions)
        fill_inputs(inputs, pack, keys, self.transformer.embedding)
        self.transformer.run(inputs, self._frame(inputs, False), None, loss)

    def _inputs(self, sizes: Sizes) -> Inputs:
        """Not yet filled; with room for embedded tokens where the embedding waits on the host."""
        table = self.transformer.embedding if self.transformer.settings.host_vocabulary else None
        return make_inputs(sizes, self.transformer.device, table)

    def _frame(self, inputs: Inputs, drops: bool) -> Frame:
        return Frame(
            positions=inputs.positions.long(),
            keys=inputs.keys if drops else None,
            rows=inputs.rows,
            scored_at=inputs.scored_at.long(),
            cos=self.transformer.cos,
            sin=self.transformer.sin,
        )
