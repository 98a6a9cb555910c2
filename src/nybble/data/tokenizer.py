"""Loading the tokenizer that lies beside a model's weights."""

from pathlib import Path
from typing import Any

from nybble.runs.errors import InputError


def load_tokenizer(folder: Path, trust_remote_code: bool = False) -> Any:
    """The tokenizer in `folder`. Raises `InputError` when it cannot be read.

    The type is transformers' own, whose classes differ by version.
    """
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code)
    except Exception as error:  # the tokenizers library raises nothing more special
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(
            f"The tokenizer in {folder} cannot be read: {reason[:200]}",
            "Fetch the model again: tokenizer.json and tokenizer_config.json belong to it.",
        ) from None
