"""What a GPU's matrix products reach: the ceiling that a training's speed is held against."""

import torch

SIDE, WARM, TIMED = 4096, 10, 30


def gemm_flop_per_second(dtype: torch.dtype) -> float:
    """FLOP a second of a square product in `dtype` on the current GPU, measured: 10 to 500 ms.

    Of random numbers: those of all zeros take less power, and so run faster.
    """
    left, right = (torch.randn(SIDE, SIDE, device="cuda").to(dtype) for _ in range(2))
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    for count in (WARM, TIMED):
        begin.record()
        for _ in range(count):
            left @ right
        end.record()
        end.synchronize()
    seconds = float(begin.elapsed_time(end)) / 1000
    del left, right
    torch.cuda.empty_cache()
    return TIMED * 2 * SIDE**3 / seconds
