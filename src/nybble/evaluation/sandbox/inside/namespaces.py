"""Namespaces of the sandbox's own: nothing of the machine's processes, network or files in them.

Without root, a user namespace comes first: in it an ordinary user has the rights to make the
others. With root, it comes last: the mounts are made with root's rights, given up right after.
"""

import contextlib
import os
import sys
from pathlib import Path

from . import kernel

NOBODY = 65534
FOLDER = "/box"
"""The program's folder in a file system of its own: the one place that it can write to."""

STANDARD_LIBRARY = str(Path(os.__file__).parent)

_ROOT_BYTES, _FILES = 2**20, 1024
_OTHERS = (
    kernel.CLONE_NEWNS
    | kernel.CLONE_NEWPID
    | kernel.CLONE_NEWNET
    | kernel.CLONE_NEWIPC
    | kernel.CLONE_NEWUTS
)
_SYSTEM = ("/usr", "/lib", "/lib64", "/nix/store", "/etc/ld.so.cache")
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")


def needed_paths() -> list[str]:
    """What Python needs to import its standard library: shown in the sandbox, read-only.

    Of Python's own prefix its `lib` alone, beside which a home may lie.
    """
    own = str(Path(sys.base_exec_prefix, sys.platlibdir))
    wanted: list[str] = []
    for path in (*_SYSTEM, str(Path(STANDARD_LIBRARY).parent), own):
        if Path(path).exists() and not any(Path(path).is_relative_to(held) for held in wanted):
            wanted.append(path)
    return wanted


def enter() -> bool:
    """Move into new namespaces, or stay where that is not allowed. The next child is their first.

    With root, the user namespace follows in `become_nobody`.
    """
    uid, gid = os.geteuid(), os.getegid()
    try:
        kernel.unshare(_OTHERS | (0 if uid == 0 else kernel.CLONE_NEWUSER))
    except OSError:
        return False
    if uid != 0:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{NOBODY} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{NOBODY} {gid} 1")
    return True


def make_root(at: str, folder_bytes: int) -> bool:
    """A root of `needed_paths`, four devices and `FOLDER`; built in the empty folder `at`.

    False, with the machine's files still there, where the kernel refuses a step.
    """
    try:
        kernel.mount("none", "/", "", kernel.MS_REC | kernel.MS_PRIVATE)
        _mount_memory(at, _ROOT_BYTES, "755")
        for path in needed_paths():
            _show(path, at)
        for device in DEVICES:
            _bind(device, at + device)
        Path(at + FOLDER).mkdir()
        _mount_memory(at + FOLDER, folder_bytes, "700")
        Path(at + "/tmp").symlink_to(FOLDER)
        kernel.pivot_into(at)
        kernel.restrict_mount("/", kernel.MS_RDONLY | kernel.MS_NOSUID, recursive=False)
    except (OSError, KeyError):
        return False
    return True


def _mount_memory(at: str, size_bytes: int, mode: str) -> None:
    options = f"size={size_bytes},nr_inodes={_FILES},mode={mode}"
    kernel.mount("tmpfs", at, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, options)


def _show(path: str, at: str) -> None:
    """`path` at the same place below `at`, read-only; a link (/lib on merged systems) as a link."""
    if Path(path).is_symlink():
        Path(at + path).symlink_to(Path(path).readlink())
        return
    _bind(path, at + path)
    flags = kernel.MS_RDONLY | kernel.MS_NOSUID | kernel.MS_NODEV
    kernel.restrict_mount(at + path, flags, recursive=True)


def _bind(path: str, target: str) -> None:
    folder = Path(path).is_dir()
    (Path(target) if folder else Path(target).parent).mkdir(parents=True, exist_ok=True)
    if not folder:
        Path(target).touch()
    kernel.mount(path, target, "", kernel.MS_BIND | kernel.MS_REC)


def become_nobody(folder: str) -> bool:
    """From root to the user `nobody`, who owns `folder`, in a user namespace of its own.

    False where nobody could not read the standard library, or the kernel refuses.
    """
    if os.geteuid() != 0 or not _open_to_all(STANDARD_LIBRARY):
        return False
    try:
        os.chown(folder, NOBODY, NOBODY)
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    except OSError:
        return False
    # Without it, nobody's threads count together with those of other programs.
    with contextlib.suppress(OSError):
        kernel.unshare(kernel.CLONE_NEWUSER)
    return True


def _open_to_all(path: str) -> bool:
    there = Path(path).resolve()
    return all(folder.stat().st_mode & 0o001 for folder in (there, *there.parents))
