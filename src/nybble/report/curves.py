"""How the training went, in few enough points to draw: losses, learning rate, memory."""

from typing import Any

import numpy as np
import numpy.typing as npt

from nybble.report.text import short

Floats = npt.NDArray[np.float64]

MOST_POINTS = 600
SMOOTHED_SHARE, FEWEST_SMOOTHED = 0.03, 20


def training(metrics: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Loss and learning rate by step, and validation losses; None where nothing was logged.

    `steps`, with their tokens and seconds, are those that were logged, `last_step` counts all.
    """
    steps = [line for line in metrics if "loss" in line]
    if not steps:
        return None
    loss = np.array([np.nan if line["loss"] is None else line["loss"] for line in steps])
    window = max(5, round(len(loss) * SMOOTHED_SHARE)) | 1 if len(loss) >= FEWEST_SMOOTHED else 1
    checks = [line for line in metrics if line.get("validation_loss") is not None]
    return {
        "steps": len(steps),
        "last_step": steps[-1]["step"],
        "tokens": sum(line.get("tokens", 0) for line in steps),
        "seconds": sum(line.get("step_seconds", 0.0) for line in steps),
        "window": window,
        "bucket": _bucket(len(loss)),
        "step": _thin(np.array([line["step"] for line in steps], np.float64)),
        "loss": _thin(loss),
        "smooth": _thin(rolling_mean(loss, window)),
        "learning_rate": _thin(
            np.array([line.get("learning_rate", np.nan) for line in steps], np.float64)
        ),
        "validation_step": [line["step"] for line in checks],
        "validation_loss": [short(line["validation_loss"]) for line in checks],
    }


def rolling_mean(values: Floats, window: int) -> Floats:
    """Means of `window` values around each one, fewer at the ends; NaN ones are left out."""
    known = np.isfinite(values)
    kernel = np.ones(window)
    count = _centred(known.astype(np.float64), kernel)
    total = _centred(np.where(known, values, 0.0), kernel)
    mean: Floats = np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0.5)
    return mean


def _centred(values: Floats, kernel: Floats) -> Floats:
    start = len(kernel) // 2
    return np.convolve(values, kernel)[start : start + len(values)]


def _bucket(n: int) -> int:
    return -(-n // MOST_POINTS)


def _thin(values: Floats) -> list[float | None]:
    """At most `MOST_POINTS` means of neighbours; None where there is no number."""
    size = _bucket(len(values))
    parts = [values[start : start + size] for start in range(0, len(values), size)]
    known = [part[np.isfinite(part)] for part in parts]
    return [short(float(part.mean())) if len(part) else None for part in known]


def memory(metrics: list[dict[str, Any]], plan: dict[str, Any]) -> dict[str, Any] | None:
    """Bytes that the plan expects, and the highest that the device measured."""
    peaks = [line["peak_bytes"] for line in metrics if line.get("peak_bytes")]
    parts = []
    if plan.get("weight_bytes"):
        parts.append({"name": "weights", "bytes": plan["weight_bytes"]})
    per_token, tokens = plan.get("bytes_per_token"), plan.get("micro_batch_tokens")
    if per_token and tokens:
        name = f"activations of {tokens:,} tokens"
        parts.append({"name": name, "bytes": per_token * tokens})
    if not parts and not peaks:
        return None
    return {
        "plan": parts,
        "peak_bytes": max(peaks, default=None),
        "steps": len(peaks),
        "reason": str(plan.get("reason", "")),
    }
