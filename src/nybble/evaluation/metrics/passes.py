"""pass@k: how probably one of k sampled programs passes all tests."""

import math

from nybble.runs.errors import InputError


def pass_at_k(samples: int, passed: int, k: int) -> float:
    """The chance that k of a task's `samples` programs, `passed` of them right, hold a right one.

    1 - C(samples - passed, k) / C(samples, k): unbiased, where 1 - (1 - passed / samples)^k is too
    low (Chen et al., Evaluating Large Language Models Trained on Code, 2021, arXiv 2107.03374). A
    model's pass@k is the mean over tasks. Raises InputError for fewer samples than k.
    """
    if not 0 <= passed <= samples:
        raise InputError(
            f"{passed} of {samples} programs cannot have passed.", "Count each program once."
        )
    if not 1 <= k <= samples:
        raise InputError(
            f"pass@{k} cannot be told from {samples} programs a task.",
            f"Sample at least {max(k, 1)} programs for each task.",
        )
    choices = math.comb(samples, k)
    return (choices - math.comb(samples - passed, k)) / choices
