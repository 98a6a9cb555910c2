"""`nybble` in processes that begin with torch imported, so that many can be killed."""

import multiprocessing
import os
import sys
from pathlib import Path
from typing import Any

_context: Any = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["nybble.cli.main", "nybble.pipeline.work", "bitsandbytes"])


def nybble(log: Path, *arguments: str) -> Any:
    """A process of its own, which writes to `log` what it says; `.kill()` is SIGKILL."""
    process = _context.Process(target=_work, args=(log, arguments))
    process.start()
    return process


def _work(log: Path, arguments: tuple[str, ...]) -> None:
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(out, 1)
    os.dup2(out, 2)
    from nybble.cli.main import app

    sys.argv = ["nybble", *arguments]
    app()
