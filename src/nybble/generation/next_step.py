"""The decode step: eager, and on a GPU replayed from a CUDA graph after a first step.

A step of one token a row is thousands of small kernels, and the host takes longer to start them
than the GPU to compute them: 85 ms against 21 for 103 rows of a 3B model in NF4 on an H100
(`benchmarks/generation.py`). What the graph reads lies still: a static cache, whose own counter
says where the next keys go, the rows' mask, and a place each for their newest ids and positions.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache

from nybble.generation.prefill import forward

Compute = Callable[[], Tensor]
# A capture takes about as long as a step and a half, and each replay saves most of one.
WORTH_CAPTURING = 4


class NextStep:
    """Gives the logits of rows that go on; other rows are told by a mask of their own.

    The first step of some rows is always eager: what is loaded at first use, and what decides by
    trying, must not be met for the first time within a capture.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.may_capture = _lies_on_one_gpu(model)
        self.mask: Tensor | None = None
        self.replay: Replay | None = None

    def __call__(
        self, ids: Tensor, mask: Tensor, positions: Tensor, cache: Cache, left: int
    ) -> Tensor:
        """Logits [rows, vocabulary] after `ids` [rows, 1]; `left` steps may come, this one too.

        The next call may overwrite what an earlier one gave.
        """
        if mask is not self.mask:
            self.mask, self.replay = mask, None
        elif self.replay is None and self.may_capture and left >= WORTH_CAPTURING:
            self._capture(ids, mask, positions, cache)
        if self.replay is not None:
            return self.replay(ids, positions)
        return forward(self.model, ids, mask, positions, cache)

    def _capture(self, ids: Tensor, mask: Tensor, positions: Tensor, cache: Cache) -> None:
        own_ids, own_positions = ids.clone(), positions.clone()

        def compute() -> Tensor:
            return forward(self.model, own_ids, mask, own_positions, cache)

        try:
            self.replay = Replay(own_ids, own_positions, *captured(compute))
        except torch.OutOfMemoryError:
            self.may_capture = False  # a graph keeps its intermediates' room; without it there is


class Replay:
    """A captured step and the tensors that it reads and writes."""

    def __init__(
        self, ids: Tensor, positions: Tensor, run: Callable[[], None], logits: Tensor
    ) -> None:
        self.ids, self.positions = ids, positions
        self.run, self.logits = run, logits

    def __call__(self, ids: Tensor, positions: Tensor) -> Tensor:
        self.ids.copy_(ids)
        self.positions.copy_(positions)
        self.run()
        return self.logits


def captured(compute: Compute) -> tuple[Callable[[], None], Tensor]:
    """What computes `compute` once more, and the tensor that then holds its result."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        result = compute()
    return graph.replay, result


def _lies_on_one_gpu(model: Any) -> bool:
    """Whether a step neither copies weights from the host nor waits for the device.

    LLM.int8 (Dettmers et al. 2022) looks for outliers among its inputs, and waits for them.
    """
    devices = {parameter.device for parameter in model.parameters()}
    if len(devices) != 1 or devices.pop().type != "cuda":
        return False
    return not any(type(module).__name__ == "Linear8bitLt" for module in model.modules())
