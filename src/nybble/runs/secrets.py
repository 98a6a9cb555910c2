"""Secrets never reach a file or a log: what looks like one is masked."""

import re

# Hugging Face, OpenAI-like, GitHub and Weights & Biases tokens; `key=secret` in URLs.
_TOKEN = re.compile(
    r"hf_[A-Za-z0-9]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|\b(?:sk-[A-Za-z0-9_-]{16,}|[0-9a-f]{40}(?=@))"
)
_IN_URL = re.compile(r"(://[^/\s:@]+:)([^/\s@]+)(@)")
MASK = "***"


def masked(text: str) -> str:
    """`text` with tokens and passwords in URLs replaced by `***`."""
    return _IN_URL.sub(rf"\g<1>{MASK}\g<3>", _TOKEN.sub(MASK, text))
