"""Captured CUDA graphs: one forward and backward for each sizes of a pack, replayed.

A graph is captured when its sizes are first met, straight into a pool that all graphs share, since
they run one after another. What is compiled or loaded at first use must not be met for the first
time inside a capture, so a small pack is computed beforehand.
"""

import gc
from collections.abc import Callable

import torch
from torch import Tensor

from nybble.engine.inputs import Inputs, Sizes

MakeInputs = Callable[[Sizes], Inputs]
Prepare = Callable[[Inputs], None]
Compute = Callable[[Inputs, Tensor], None]


class Graph:
    """A captured computation over `inputs`, which gives the sum of their losses."""

    def __init__(self, inputs: Inputs, loss: Tensor, graph: torch.cuda.CUDAGraph) -> None:
        self.inputs = inputs
        self.loss = loss
        self.graph = graph

    def replay(self) -> Tensor:
        """The losses' sum [], overwritten by the next replay."""
        self.graph.replay()
        return self.loss


class Graphs:
    """The graphs of a model, by sizes."""

    def __init__(self, make_inputs: MakeInputs) -> None:
        self.make_inputs = make_inputs
        self.captured: dict[Sizes, Graph] = {}
        self.largest = 0
        self.pool = torch.cuda.graph_pool_handle()

    def get(self, sizes: Sizes, prepare: Prepare, compute: Compute) -> Graph:
        """The graph for `sizes`, captured now if need be.

        `compute` is captured; `prepare` does what of it must first be met outside a capture.
        """
        if sizes not in self.captured:
            if sizes.tokens > self.largest:
                self._start_anew(sizes.tokens, prepare, compute)
            inputs = self.make_inputs(sizes)
            prepare(inputs)
            self.captured[sizes] = self._capture(inputs, compute)
        return self.captured[sizes]

    def _start_anew(self, tokens: int, prepare: Prepare, compute: Compute) -> None:
        """Drop all graphs: in a pool of smaller blocks, a larger pack would find room nowhere."""
        self.captured.clear()
        self.largest = tokens
        self.pool = torch.cuda.graph_pool_handle()
        self._warm(prepare, compute)

    def _warm(self, prepare: Prepare, compute: Compute) -> None:
        """Compute a small pack of nothing scored: what it adds to gradients is zero."""
        _forget_workspaces()
        inputs = self.make_inputs(Sizes(256, 8, 64, 256))
        inputs.row_starts.fill_(256)[0] = 0
        inputs.slots.copy_(torch.arange(256))
        inputs.targets.fill_(-1)
        prepare(inputs)
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(2):
                compute(inputs, torch.zeros((), device=inputs.words.device))
        torch.cuda.current_stream().wait_stream(stream)
        torch.cuda.synchronize()
        _forget_workspaces()
        gc.collect()
        torch.cuda.empty_cache()

    def _capture(self, inputs: Inputs, compute: Compute) -> Graph:
        loss = torch.zeros((), device=inputs.words.device)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self.pool, capture_error_mode="thread_local"):
            loss.zero_()
            compute(inputs, loss)
        _forget_workspaces()
        return Graph(inputs, loss, graph)


def _forget_workspaces() -> None:
    """cuBLAS keeps 32 MiB for each stream; within a capture they then come from its pool."""
    torch._C._cuda_clearCublasWorkspaces()
