"""The layers of protection, outermost first; each that the machine refuses is left out and said so.

namespaces   no other process, no network, no file but the standard library
nobody       a user without rights, whose processes are counted by themselves
landlock     the same files, without namespaces: in a container, say
seccomp      no new process or program, no socket, no signal to others
limits       processor time, memory, files, threads
"""

import contextlib
import os
import resource
import sys
from pathlib import Path
from typing import Any

from . import kernel, layers, namespaces
from .seccomp import refuse_system_calls

LINUX = sys.platform == "linux"

# struct landlock's rights on files: execute 0, write 1, read 2, read a folder 3, remove 4 and 5,
# make things 6 to 12; since version 2 move 13, since 3 truncate 14, since 5 ioctl 15.
_READ = 1 << 0 | 1 << 2 | 1 << 3
_BITS_BY_VERSION = (0, 13, 14, 15, 15, 16)
# The launcher starts with three files, and opens a handful.
_HIGHEST_DESCRIPTOR = 256


def die_with_parent() -> None:
    """Be killed when the parent ends; elsewhere than on Linux, closed files have to tell."""
    if LINUX:
        kernel.die_with_parent()


def enter(folder: str, limits: dict[str, Any]) -> list[str]:
    """Leave the machine as far as it lets: names of the layers that are in effect.

    The working folder is afterwards the program's: `folder`, or one in a file system of its own.
    """
    names = []
    if LINUX and namespaces.enter():
        names.append(layers.NAMESPACES)
        above = os.open(Path(folder).parent, os.O_RDONLY)
        if namespaces.make_root(folder, limits["folder_bytes"]):
            names.append(layers.FILES)
            # The folder was a place to build at. Nybble may be killed before it would remove it.
            with contextlib.suppress(OSError):
                os.rmdir(Path(folder).name, dir_fd=above)
            folder = namespaces.FOLDER
        os.close(above)
    os.chdir(folder)
    if LINUX:
        if namespaces.become_nobody(folder) or os.geteuid() != 0:
            names.append(layers.USER)
        with contextlib.suppress(OSError):
            kernel.drop_capabilities()
        kernel.set_dumpable(False)
        kernel.gain_no_privileges()
    return names


def _keep_to(folder: str) -> bool:
    """By Landlock, read what Python needs, and write in `folder` alone."""
    version = kernel.landlock_version()
    if not version:
        return False
    every = (1 << _BITS_BY_VERSION[min(version, len(_BITS_BY_VERSION) - 1)]) - 1
    files = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15
    allowed = {path: _READ for path in namespaces.needed_paths() if Path(path).is_dir()}
    allowed |= dict.fromkeys(namespaces.DEVICES, files)
    try:
        kernel.restrict_files(every, {**allowed, folder: every})
    except OSError:
        return False
    return True


def bind_self(limits: dict[str, Any], entered: list[str]) -> list[str]:
    """Limit this process, and refuse it system calls: the layers on top of those it `entered`."""
    kept = LINUX and _keep_to(str(Path.cwd()))
    refused = LINUX and refuse_system_calls()
    wanted = {
        "RLIMIT_CPU": limits["cpu_seconds"],
        "RLIMIT_AS": limits["memory_bytes"],
        "RLIMIT_FSIZE": limits["folder_bytes"],
        "RLIMIT_NOFILE": limits["open_files"],
        "RLIMIT_CORE": 0,
        "RLIMIT_MEMLOCK": 0,
        "RLIMIT_MSGQUEUE": 0,
    }
    if layers.NAMESPACES in entered:
        # The launcher, the tests' process and the program's own count as well.
        wanted["RLIMIT_NPROC"] = limits["threads"] + 3
    elif not refused:
        # The user's other processes count: any limit below their number allows no new one.
        wanted["RLIMIT_NPROC"] = 0
    for name, value in wanted.items():
        if hasattr(resource, name):
            _limit(getattr(resource, name), value)
    held = ((layers.LANDLOCK, kept), (layers.SECCOMP, refused), (layers.LIMITS, True))
    return [name for name, holds in held if holds]


def _limit(kind: int, value: int) -> None:
    hardest = resource.getrlimit(kind)[1]
    hard = value + 1 if kind == resource.RLIMIT_CPU else value
    if hardest != resource.RLIM_INFINITY:
        value, hard = min(value, hardest), min(hard, hardest)
    # macOS refuses a limit on addresses below what is in use.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(kind, (value, hard))


def keep_open(descriptors: set[int]) -> None:
    """Close every file but `descriptors` and what is printed to; there is nothing to read."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    kept = sorted({0, 1, 2} | descriptors)
    for low, high in zip(kept, [*kept[1:], _HIGHEST_DESCRIPTOR], strict=True):
        os.closerange(low + 1, high)
