"""`manifest.json`: what a checkpoint's files must be, so that damage is never loaded.

{"digest": SHA-256 of `files` as sorted JSON,
 "files": {NAME: {"bytes": 123, "sha256": "..."}}}
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from nybble.runs.atomic import write_text

MANIFEST = "manifest.json"


def write_manifest(folder: Path) -> None:
    """Write down size and SHA-256 of every file that lies in `folder`."""
    files = {path.name: _measured(path) for path in sorted(folder.iterdir())}
    write_text(folder / MANIFEST, _text(files))


def renew_manifest(folder: Path, name: str) -> None:
    """Write down again what the file `name` of `folder` is; of the others, what was known."""
    files = json.loads((folder / MANIFEST).read_bytes())["files"]
    write_text(folder / MANIFEST, _text(files | {name: _measured(folder / name)}))


def damage(folder: Path) -> str | None:
    """What is wrong with the checkpoint in `folder`, in a few words; None when it is whole."""
    try:
        written = (folder / MANIFEST).read_bytes()
        files = json.loads(written)["files"]
        if written != _text(files).encode():
            return f"{MANIFEST} was changed"
        for name, expected in files.items():
            found = _measured(folder / name)
            if found["bytes"] != expected["bytes"]:
                return f"{name} has {found['bytes']:,} bytes instead of {expected['bytes']:,}"
            if found != expected:
                return f"{name} is not what was written"
    except FileNotFoundError as error:
        return f"{Path(error.filename).name} is missing"
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"{MANIFEST} cannot be read"
    return None


def _measured(path: Path) -> dict[str, Any]:
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"bytes": path.stat().st_size, "sha256": digest}


def _text(files: dict[str, Any]) -> str:
    """The only text that a manifest of `files` can be."""
    digest = hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()
    return json.dumps({"digest": digest, "files": files}, indent=2) + "\n"
