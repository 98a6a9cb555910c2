"""The filter, run by an interpreter of the few instructions that it has, on both architectures."""

import errno
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nybble.evaluation.sandbox.inside import seccomp

ALLOW, KILL, EPERM, ENOSYS = 0x7FFF0000, 0x80000000, 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
PID = 4711

# From the kernel's tables, written down again: read, write, openat, mmap, exit_group, futex, …
HARMLESS = {
    "x86_64": {"read": 0, "write": 1, "openat": 257, "mmap": 9, "exit_group": 231, "futex": 202,
               "socketpair": 53, "getrandom": 318, "pipe2": 293, "clock_nanosleep": 230},
    "aarch64": {"read": 63, "write": 64, "openat": 56, "mmap": 222, "exit_group": 94, "futex": 98,
                "socketpair": 199, "getrandom": 278, "pipe2": 59, "clock_nanosleep": 115},
}  # fmt: skip
REFUSED = {
    "x86_64": {"fork": 57, "execve": 59, "socket": 41, "kill": 62, "ptrace": 101, "mount": 165},
    "aarch64": {"execve": 221, "socket": 198, "kill": 129, "ptrace": 117, "mount": 40},
}
BY_ARGUMENT = {
    "x86_64": {"clone": 56, "tgkill": 234, "prlimit64": 302, "prctl": 157, "fcntl": 72},
    "aarch64": {"clone": 220, "tgkill": 131, "prlimit64": 261, "prctl": 167, "fcntl": 25},
}


def outcome(machine, number, arguments=(), architecture=None):
    """What the filter returns for a system call: struct seccomp_data, little-endian."""
    padded = [*arguments, 0, 0, 0, 0, 0, 0][:6]
    data = struct.pack("<IIQ6Q", number, architecture or ARCHITECTURES[machine], 0, *padded)
    program = seccomp.filter_for(machine, PID)
    place, accumulator = 0, 0
    while True:
        code, then, otherwise, value = struct.unpack_from("=HBBI", program, 8 * place)
        place += 1
        if code == 0x20:
            accumulator = struct.unpack_from("<I", data, value)[0]
        elif code == 0x06:
            return value
        else:
            holds = {0x15: accumulator == value, 0x35: accumulator >= value,
                     0x45: bool(accumulator & value)}[code]  # fmt: skip
            place += then if holds else otherwise


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_calls(machine):
    for number in HARMLESS[machine].values():
        assert outcome(machine, number) == ALLOW
    for number in REFUSED[machine].values():
        assert outcome(machine, number) == EPERM
    assert outcome(machine, 435) == ENOSYS
    other = next(a for m, a in ARCHITECTURES.items() if m != machine)
    assert outcome(machine, 0, architecture=other) == KILL
    assert outcome(machine, 0x40000000) == KILL


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_calls_that_depend_on_an_argument(machine):
    number = BY_ARGUMENT[machine]
    thread, process = 0x3D0F00, 0x1200011
    assert outcome(machine, number["clone"], [thread]) == ALLOW
    assert outcome(machine, number["clone"], [process]) == EPERM
    assert outcome(machine, number["tgkill"], [PID]) == ALLOW
    assert outcome(machine, number["tgkill"], [1]) == EPERM
    assert outcome(machine, number["prlimit64"], [0]) == ALLOW
    assert outcome(machine, number["prlimit64"], [PID + 1]) == EPERM
    assert outcome(machine, number["prctl"], [15]) == ALLOW
    assert outcome(machine, number["prctl"], [1]) == EPERM
    assert outcome(machine, number["fcntl"], [0, 3]) == ALLOW
    assert [outcome(machine, number["fcntl"], [0, value]) for value in (8, 10, 15)] == [EPERM] * 3


@given(st.sampled_from(sorted(ARCHITECTURES)), st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1))
def test_every_call_comes_to_an_end(machine, number, argument):
    assert outcome(machine, number, [argument]) in (ALLOW, KILL, EPERM, ENOSYS)


def test_other_machines_have_no_filter():
    with pytest.raises(KeyError):
        seccomp.filter_for("riscv64", PID)
