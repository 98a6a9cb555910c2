"""The system calls that Python 3.11 has no function for, by ctypes. Linux only.

Numbers and flags: the kernel's include/uapi/linux/{sched,mount,prctl,capability,landlock}.h.
"""

import ctypes
import os
from typing import Any

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH = 2

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP = 1, 4, 38, 22
_SECCOMP_MODE_FILTER = 2
_SIGKILL = 9
_CAPABILITY_VERSION_3 = 0x20080522
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000

# The same on every architecture: calls that came after their numbers were unified.
_SYS_MOUNT_SETATTR = 442
_SYS_LANDLOCK_CREATE_RULESET, _SYS_LANDLOCK_ADD_RULE, _SYS_LANDLOCK_RESTRICT_SELF = 444, 445, 446
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}

_libc: Any = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> int:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")
    return result


def _syscall(number: int, *arguments: Any) -> int:
    return _checked(_libc.syscall(ctypes.c_long(number), *arguments), f"system call {number}")


def unshare(flags: int) -> None:
    """Leave the namespaces named by `flags` for new ones."""
    _checked(_libc.unshare(ctypes.c_int(flags)), "unshare")


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    """mount(2)."""
    arguments = (source.encode(), target.encode(), kind.encode())
    _checked(_libc.mount(*arguments, ctypes.c_ulong(flags), options.encode()), f"mount on {target}")


class _MountAttributes(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "userns"))


def restrict_mount(target: str, flags: int, recursive: bool) -> None:
    """Add MS_RDONLY, MS_NOSUID, MS_NODEV or MS_NOEXEC to a mount, and to those below it.

    mount_setattr(2), since Linux 5.12: remounting would not reach the mounts below.
    """
    attributes = _MountAttributes(flags, 0, 0, 0)
    _syscall(
        _SYS_MOUNT_SETATTR,
        ctypes.c_int(_AT_FDCWD),
        target.encode(),
        ctypes.c_uint(_AT_RECURSIVE if recursive else 0),
        ctypes.byref(attributes),
        ctypes.c_size_t(ctypes.sizeof(attributes)),
    )


def pivot_into(new_root: str) -> None:
    """Make the mount `new_root` the root, and let go of the old one (pivot_root(2), Notes)."""
    os.chdir(new_root)
    _syscall(_SYS_PIVOT_ROOT[os.uname().machine], b".", b".")
    _checked(_libc.umount2(b".", ctypes.c_int(MNT_DETACH)), "umount of the old root")
    os.chdir("/")


def _prctl(option: int, value: int, more: Any = 0) -> None:
    rest = (ctypes.c_ulong(value), more or ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0))
    _checked(_libc.prctl(ctypes.c_int(option), *rest), f"prctl {option}")


def die_with_parent() -> None:
    """Be killed when the thread that started this process ends."""
    _prctl(_PR_SET_PDEATHSIG, _SIGKILL)


def set_dumpable(dumpable: bool) -> None:
    """A process that is not dumpable cannot be traced, and its memory not be read, by its like."""
    _prctl(_PR_SET_DUMPABLE, int(dumpable))


def gain_no_privileges() -> None:
    """No program that is executed from here on has more rights than this one (setuid and such)."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


class _Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def filter_system_calls(instructions: bytes) -> None:
    """Install a seccomp filter: classic BPF of 8 bytes an instruction. For ever, and inherited."""
    program = _Filter(len(instructions) // 8, instructions)
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program))


def drop_capabilities() -> None:
    """Give up every capability in this process's user namespace."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    _checked(_libc.capset(header, (ctypes.c_uint32 * 6)()), "capset")


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64),)


class _PathRule(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def restrict_files(handled: int, allowed: dict[str, int]) -> None:
    """Landlock: of the rights in `handled`, this process keeps those that a folder `allowed`."""
    ruleset = _Ruleset(handled)
    size = ctypes.c_size_t(ctypes.sizeof(ruleset))
    rules = _syscall(_SYS_LANDLOCK_CREATE_RULESET, ctypes.byref(ruleset), size, ctypes.c_uint32(0))
    for path, rights in allowed.items():
        folder = os.open(path, os.O_PATH | os.O_CLOEXEC)
        rule = _PathRule(rights & handled, folder)
        _syscall(
            _SYS_LANDLOCK_ADD_RULE,
            ctypes.c_int(rules),
            ctypes.c_int(1),
            ctypes.byref(rule),
            ctypes.c_uint32(0),
        )
        os.close(folder)
    _syscall(_SYS_LANDLOCK_RESTRICT_SELF, ctypes.c_int(rules), ctypes.c_uint32(0))
    os.close(rules)


def landlock_version() -> int:
    """The kernel's Landlock version, 0 where there is none."""
    try:
        return _syscall(_SYS_LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    except OSError:
        return 0
