"""What a check of the machine has to say."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One thing looked at: what was found, and the one thing to do unless all is well.

    `note`: training works, but not as well as it could, or not for everything. `error`: it does
    not work, or silently not on the GPU that is there.
    """

    name: str
    status: Literal["ok", "note", "error"]
    found: str
    fix: str = ""
