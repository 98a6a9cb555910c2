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
    # what outlives a process: System V memory and queues, message queues
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
_PRCTL = (157, 167)
_PR_SET_PDEATHSIG = 1
_CLONE_THREAD = 0x00010000
_X32 = 0x40000000
_AUDIT_ARCH = (0xC000003E, 0xC00000B7)

# struct seccomp_data: number, architecture, instruction pointer, six arguments (low half first).
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _FAIL = 0x7FFF0000, 0x80000000, 0x00050000
_REFUSE, _UNKNOWN = _FAIL | errno.EPERM, _FAIL | errno.ENOSYS


def _instruction(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("=HBBI", code, then, otherwise, value)


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
    # A process may signal its own threads (abort does), and start threads, not processes.
    parts += [
        _instruction(_EQUAL, _TGKILL[column], 0, 4),
        _instruction(_LOAD, _FIRST_ARGUMENT),
        _instruction(_EQUAL, pid, 0, 1),
        _instruction(_RETURN, _ALLOW),
        _instruction(_RETURN, _REFUSE),
        # It may not outlive the tests' process.
        _instruction(_EQUAL, _PRCTL[column], 0, 4),
        _instruction(_LOAD, _FIRST_ARGUMENT),
        _instruction(_EQUAL, _PR_SET_PDEATHSIG, 0, 1),
        _instruction(_RETURN, _REFUSE),
        _instruction(_RETURN, _ALLOW),
        _instruction(_EQUAL, _CLONE[column], 0, 3),
        _instruction(_LOAD, _FIRST_ARGUMENT),
        _instruction(_ANY_BIT, _CLONE_THREAD, 1, 0),
        _instruction(_RETURN, _REFUSE),
        _instruction(_RETURN, _ALLOW),
    ]
    return b"".join(parts)


def refuse_system_calls() -> bool:
    """Install the filter for this process; False where there is none for the machine or kernel."""
    try:
        kernel.filter_system_calls(filter_for(os.uname().machine, os.getpid()))
    except (KeyError, OSError):
        return False
    return True
