"""The system calls that a program is refused (they fail with EPERM), as a seccomp filter.

Refused are those that start programs or processes, reach the network, signal or look into other
processes, and the parts of the kernel that have let programs out of sandboxes before. Everything
else works: namespaces, rights and limits decide what it reaches.
"""

import errno
import os
import struct

from . import kernel

# x86_64 (arch/x86/entry/syscalls/syscall_64.tbl) and aarch64 (include/uapi/asm-generic/unistd.h).
_MACHINES = ("x86_64", "aarch64")
_REFUSED: dict[str, tuple[int | None, int | None]] = {
    # programs and processes; threads come by clone, which is looked at more closely below
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    # the network; socketpair stays, asyncio needs one
    "socket": (41, 198),
    # other processes
    "kill": (62, 129),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
    "pidfd_getfd": (438, 438),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "setpriority": (141, 140),
    "sched_setaffinity": (203, 122),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "sched_setattr": (314, 274),
    "ioprio_set": (251, 30),
    # what outlives a process, or is memory that no limit counts
    "memfd_create": (319, 279),
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    # namespaces, mounts, and doors into the kernel
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "mount_setattr": (442, 442),
    "open_by_handle_at": (304, 265),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
}
_CLONE = (56, 220)
_CLONE3 = 435
_TGKILL = (234, 131)
_PRLIMIT = (302, 261)

# Calls that are refused for some values of an argument: numbers, the argument, the values.
_PR_SET_PDEATHSIG = 1
_F_SETOWN, _F_SETSIG, _F_SETOWN_EX = 8, 10, 15
_FIOSETOWN, _SIOCSPGRP, _TIOCSTI = 0x8901, 0x8902, 0x5412
_REFUSED_FOR = (
    # outliving the tests' process
    ((157, 167), 0, (_PR_SET_PDEATHSIG,)),
    # signals to others, by way of a file that has become ready; typing into a terminal
    ((72, 25), 1, (_F_SETOWN, _F_SETSIG, _F_SETOWN_EX)),
    ((16, 29), 1, (_FIOSETOWN, _SIOCSPGRP, _TIOCSTI)),
)
_CLONE_THREAD = 0x00010000
_X32 = 0x40000000
_AUDIT_ARCH = (0xC000003E, 0xC00000B7)

# struct seccomp_data: number, architecture, instruction pointer, six arguments (low half first).
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT, _ARGUMENT_BYTES = 0, 4, 16, 8
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _FAIL = 0x7FFF0000, 0x80000000, 0x00050000
_REFUSE, _UNKNOWN = _FAIL | errno.EPERM, _FAIL | errno.ENOSYS


def _instruction(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("=HBBI", code, then, otherwise, value)


def _when(number: int, argument: int, tests: list[tuple[int, int]], allow: bool) -> list[bytes]:
    """For the call `number`: allowed only, or refused only, where a test of the argument holds."""
    decided, else_decided = (_ALLOW, _REFUSE) if allow else (_REFUSE, _ALLOW)
    body = [_instruction(_LOAD, _FIRST_ARGUMENT + _ARGUMENT_BYTES * argument)]
    for test, value in tests:
        body += [_instruction(test, value, 0, 1), _instruction(_RETURN, decided)]
    body.append(_instruction(_RETURN, else_decided))
    return [_instruction(_EQUAL, number, 0, len(body)), *body]


def filter_for(machine: str, pid: int) -> bytes:
    """The filter for a process `pid` on `machine`. Raises KeyError for a machine that has none."""
    if machine not in _MACHINES:
        raise KeyError(machine)
    column = _MACHINES.index(machine)
    parts = [
        _instruction(_LOAD, _ARCHITECTURE),
        _instruction(_EQUAL, _AUDIT_ARCH[column], 1, 0),
        _instruction(_RETURN, _KILL),
        _instruction(_LOAD, _NUMBER),
        _instruction(_AT_LEAST, _X32, 0, 1),
        _instruction(_RETURN, _KILL),
    ]
    for numbers in _REFUSED.values():
        if (number := numbers[column]) is not None:
            parts += [_instruction(_EQUAL, number, 0, 1), _instruction(_RETURN, _REFUSE)]
    # glibc asks for clone where clone3 is unknown, and clone's flags can be seen by a filter.
    parts += [_instruction(_EQUAL, _CLONE3, 0, 1), _instruction(_RETURN, _UNKNOWN)]
    for numbers, argument, values in _REFUSED_FOR:
        parts += _when(numbers[column], argument, [(_EQUAL, value) for value in values], False)
    # A process may signal its own threads (abort does), limit itself, and start threads.
    parts += _when(_TGKILL[column], 0, [(_EQUAL, pid)], True)
    parts += _when(_PRLIMIT[column], 0, [(_EQUAL, 0)], True)
    parts += _when(_CLONE[column], 0, [(_ANY_BIT, _CLONE_THREAD)], True)
    parts.append(_instruction(_RETURN, _ALLOW))
    return b"".join(parts)


def refuse_system_calls() -> bool:
    """Install the filter for this process; False where there is none for the machine or kernel."""
    try:
        kernel.filter_system_calls(filter_for(os.uname().machine, os.getpid()))
    except (KeyError, OSError):
        return False
    return True
