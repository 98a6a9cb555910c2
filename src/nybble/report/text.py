"""Texts and numbers made short enough for a page."""


def cut(text: str, most: int) -> str:
    """`text`, or its first `most` - 1 characters and an ellipsis."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def short(value: float) -> float:
    """`value` to six significant digits: more than a pixel shows, half the bytes."""
    return float(f"{value:.6g}")
