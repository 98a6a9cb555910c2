"""The Hub's token: where it is looked for. It goes to the Hub and nowhere else.

In this order: the environment (HF_TOKEN, or hf_token as many notebooks have it), what
`hf auth login` left, Colab's secrets, and the file .env of the working folder.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path

VARIABLES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "hf_token")
ENV_FILE = Path(".env")

_LINE = re.compile(
    r"\s*(?:export\s+)?(?P<name>\w+)\s*=\s*"
    r"(?P<quote>['\"]?)(?P<value>[^'\"#\s]*)(?P=quote)\s*(#.*)?"
)


def hub_token() -> str | None:
    """The token, None where there is none: public repositories are read without."""
    from huggingface_hub import get_token

    # The library's own places include the login and Colab's secrets.
    return environment_value(VARIABLES) or get_token() or env_file_value(ENV_FILE, VARIABLES)


def environment_value(names: Sequence[str]) -> str | None:
    """What the first of the variables is that is set to something."""
    values = (os.environ.get(name, "").strip() for name in names)
    return next((value for value in values if value), None)


def env_file_value(path: Path, names: Sequence[str]) -> str | None:
    """The same of a file of NAME=VALUE lines. A file that cannot be read holds nothing."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    found = {match["name"]: match["value"] for match in map(_LINE.fullmatch, lines) if match}
    return next((found[name] for name in names if found.get(name)), None)
