"""Errors that a person can act on.

Every error that Nybble raises on purpose is a `NybbleError`: one line saying what is wrong and
where, one line saying what to do. The command line prints the two lines and exits with `exit_code`;
a traceback is shown only with `--debug`.
"""

import errno
import os
import re

_RUST_OS_ERROR = re.compile(r"\(os error (\d+)\)")

EXIT_FAILED = 1
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130


class NybbleError(Exception):
    """What went wrong (`message`), and what to do about it (`fix`)."""

    exit_code = EXIT_FAILED

    def __init__(self, message: str, fix: str) -> None:
        # What is quoted from a file, a key or another library may hold line breaks.
        self.message = " ".join(message.splitlines())
        self.fix = " ".join(fix.splitlines())
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message}\n{self.fix}"


class InputError(NybbleError):
    """The recipe, data, model or output folder that was asked for is wrong or missing."""

    exit_code = EXIT_BAD_INPUT


def disk_error(error: Exception) -> InputError | None:
    """The two lines for a file that could not be written; None for errors that are not the disk's.

    Recognised: no space left, quota exceeded, file too large, read-only file system, no permission;
    also where safetensors and tokenizers, written in Rust, raise them as errors of their own.
    """
    if not isinstance(error, OSError):
        found = _RUST_OS_ERROR.search(str(error))
        return disk_error(OSError(int(found[1]), os.strerror(int(found[1])))) if found else None
    where = f" writing {error.filename}" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return InputError(
            f"The disk is full{where}.",
            "Free some space or choose another place with --output DIR, then run it again.",
        )
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return InputError(
            f"No permission{where}: {error.strerror}.",
            "Choose a folder that you may write to with --output DIR.",
        )
    return None
