import errno
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nybble.runs.errors import (
    EXIT_BAD_INPUT,
    EXIT_FAILED,
    InputError,
    NybbleError,
    disk_error,
    memory_error,
)


def os_error(number: int, path: str | None) -> OSError:
    return OSError(number, os.strerror(number), path)


def test_an_error_is_its_message_and_its_fix():
    assert str(InputError("It is wrong.", "Mend it.")) == "It is wrong.\nMend it."


def test_wrong_input_and_failed_work_have_different_exit_codes():
    assert InputError("a", "b").exit_code == EXIT_BAD_INPUT == 2
    assert NybbleError("a", "b").exit_code == EXIT_FAILED == 1


@given(st.text(), st.text())
def test_message_and_fix_are_one_line_each_whatever_is_quoted_in_them(message, fix):
    error = NybbleError(message, fix)
    assert len(error.message.splitlines()) <= 1
    assert len(error.fix.splitlines()) <= 1


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_told_with_the_file(number):
    error = disk_error(os_error(number, "runs/demo/plan.json"))
    assert error.message == "The disk is full writing runs/demo/plan.json."
    assert "--output" in error.fix
    assert error.exit_code == EXIT_BAD_INPUT


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EPERM])
def test_a_missing_permission_is_told_with_the_file_and_the_reason(number):
    error = disk_error(os_error(number, "/here"))
    assert error.message == f"No permission writing /here: {os.strerror(number)}."
    assert "--output" in error.fix


def test_without_a_file_the_sentence_is_whole():
    assert disk_error(os_error(errno.ENOSPC, None)).message == "The disk is full."


@pytest.mark.parametrize("number", [errno.ENOENT, errno.ECONNRESET, errno.EPIPE])
def test_other_errors_are_not_taken_for_the_disk(number):
    assert disk_error(os_error(number, "x")) is None


def test_a_full_disk_is_recognised_in_errors_from_rust():
    found = disk_error(Exception("Error while serializing: I/O error: No space (os error 28)"))
    assert found is not None and found.message == "The disk is full."
    assert disk_error(Exception("shapes differ (8 and 28)")) is None


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (MemoryError(), "The machine is out of memory."),
        (
            RuntimeError("can't allocate memory: you tried to allocate 8 bytes"),
            "The machine is out of memory: 8 bytes more were asked for.",
        ),
        (RuntimeError("CUDA error: out of memory"), "The GPU is out of memory."),
    ],
)
def test_too_little_memory_is_told(error, told):
    known = memory_error(error)
    assert known is not None and known.message == told and known.exit_code == 1


def test_other_errors_are_not_taken_for_too_little_memory():
    assert memory_error(RuntimeError("size mismatch")) is None


@pytest.mark.slow
def test_torch_calls_its_error_so():
    import torch

    known = memory_error(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1.5 GiB."))
    assert known is not None and "1.5 GiB" in known.message
