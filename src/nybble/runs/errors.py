"""Errors that a person can act on.

Every error that Nybble raises on purpose is a `NybbleError`: one line saying what is wrong and
where, one line saying what to do. The command line prints the two lines and exits with `exit_code`;
a traceback is shown only with `--debug`.
"""

import errno
import os
import re

_RUST_OS_ERROR = re.compile(r"\(os error (\d+)\)")
_ALLOCATION = re.compile(r"[Tt]ried to allocate ([\d.,]+ \w+)")

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
    error = in_python(error)
    if not isinstance(error, OSError):
        return None
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


def in_python(error: Exception) -> Exception:
    """`error`, as an `OSError` where it is one of the system's that Rust tells in its own form."""
    found = None if isinstance(error, OSError) else _RUST_OS_ERROR.search(str(error))
    return OSError(int(found[1]), os.strerror(int(found[1]))) if found else error


def memory_error(error: Exception) -> NybbleError | None:
    """The two lines for work that ran out of memory, on a GPU or beside it; None for other errors.

    torch raises a class of its own on a GPU, and a plain RuntimeError where the CPU has none left.
    """
    told = ("CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED")
    gpu = type(error).__name__ == "OutOfMemoryError" or any(text in str(error) for text in told)
    if not gpu and not isinstance(error, MemoryError) and "can't allocate memory" not in str(error):
        return None
    asked = _ALLOCATION.search(str(error))
    wanted = f": {asked[1]} more were asked for" if asked else ""
    if gpu:
        return NybbleError(
            f"The GPU is out of memory{wanted}.",
            "End other programs on it (nvidia-smi lists them), or take a smaller data.max_length, "
            "lora.r or model.base.",
        )
    return NybbleError(
        f"The machine is out of memory{wanted}.",
        "End other programs, or take a smaller data.max_length, data.limit or model.base.",
    )
