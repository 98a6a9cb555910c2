"""Prepared rows kept on the disk, under a key of everything that they depend on.

    the examples     every field of every one, in order
    the recipe       its data part, with the day that chat templates are told
    the tokenizer    as it is in memory: vocabulary, merges, added tokens, template, class
    the code         the files of this room, and the libraries that render and tokenise

So nothing is ever invalidated: whatever changes has another key. An entry is a folder that is
renamed into its place when it is whole, and not changed after that. Of two runs that prepare the
same at once, the first one's entry stays and each works on its own rows. Checksums are compared
at every opening; an entry that fails is removed and made again.
"""

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from nybble.data.prepare import Drop, Prepared, prepare
from nybble.data.render import Renderer
from nybble.data.split import Splits
from nybble.data.store import open_store
from nybble.recipe.schema import DataPart
from nybble.runs.atomic import PARTIAL_PREFIX

ROOM = Path(__file__).parent
LIBRARIES = ("transformers", "tokenizers", "jinja2")


def _code() -> str:
    """What would make other rows of the same examples: nobody has to count a version up."""
    digest = hashlib.sha256()
    for file in sorted(ROOM.rglob("*")):
        if file.suffix in (".py", ".jinja"):
            digest.update(f"{file.relative_to(ROOM)} {_sha256(file.read_bytes())}\n".encode())
    for library in LIBRARIES:
        digest.update(f"{library} {metadata.version(library)}\n".encode())
    return digest.hexdigest()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# At import: rows are made by the code that is in memory, though its files may change meanwhile.
CODE = _code()
LARGEST_CACHE_BYTES = 10 * 2**30
ABANDONED_SECONDS = 24 * 3600
_CONTENTS = "entry.json"


def cache_folder() -> Path:
    """`prepared` in $NYBBLE_CACHE, or in ~/.cache/nybble."""
    named = os.environ.get("NYBBLE_CACHE")
    return Path(named or "~/.cache/nybble").expanduser() / "prepared"


def prepare_once(
    splits: Splits,
    part: DataPart,
    renderer: Renderer,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Prepared, bool]:
    """What `prepare` gives, and whether it was found in the cache.

    Without a cache where the tokenizer's code is not transformers' own, or nothing can be written.
    """
    key = cache_key(splits, part, renderer)
    if key is None:
        return prepare(splits, part, renderer, on_progress), False
    entry = cache_folder() / key
    found = _open(entry, splits)
    if found is not None:
        return found, True
    try:
        with _new_entry(entry) as scratch:
            prepared = prepare(splits, part, renderer, on_progress, scratch)
            _write_contents(prepared, scratch)
        _remove_oldest(entry)
    except OSError:  # a full or read-only disk; if it was the data's own, it is raised again
        return prepare(splits, part, renderer, on_progress), False
    return prepared, False


def cache_key(splits: Splits, part: DataPart, renderer: Renderer) -> str | None:
    """A SHA-256 in hex; None where the tokenizer may depend on what cannot be seen from here."""
    tokenizer = _tokenizer_state(renderer)
    if tokenizer is None:
        return None
    digest = hashlib.sha256()
    for text in (CODE, part.model_dump_json(), *tokenizer):
        digest.update(f"{_sha256(text.encode('utf-8', 'surrogatepass'))}\n".encode())
    for examples in (splits.train, splits.validation):
        digest.update(f"{len(examples)} examples\n".encode())
        for example in examples:
            digest.update(f"{type(example).__name__} {vars(example)!r}\n".encode())
    return digest.hexdigest()


def _tokenizer_state(renderer: Renderer) -> list[str] | None:
    tokenizer = renderer.tokenizer
    kind = type(tokenizer)
    if not kind.__module__.startswith("transformers.") or not tokenizer.is_fast:
        return None
    settings = {
        "class": f"{kind.__module__}.{kind.__qualname__}",
        "template": tokenizer.chat_template,
        "special": {name: str(token) for name, token in tokenizer.special_tokens_map.items()},
        "splits special tokens": tokenizer.split_special_tokens,
        "today": str(renderer.template.today),
        "stop": renderer.stop_id,
    }
    return [tokenizer.backend_tokenizer.to_str(), json.dumps(settings, sort_keys=True)]


def _open(entry: Path, splits: Splits) -> Prepared | None:
    """What lies in `entry`, when it is all there and as it was written."""
    if not entry.is_dir():
        return None
    try:
        contents = json.loads((entry / _CONTENTS).read_text(encoding="utf-8"))
        drops = [Drop(**drop) for drop in contents["drops"]]
        prepared = Prepared(
            open_store(entry / "train"), open_store(entry / "validation"), splits, drops
        )
        whole = bool(contents == _contents(prepared))
    except (OSError, ValueError, KeyError, TypeError):
        whole = False
    if not whole:
        shutil.rmtree(entry, ignore_errors=True)
        return None
    with suppress(OSError):
        os.utime(entry)  # the oldest are those that were not used for the longest time
    return prepared


def _write_contents(prepared: Prepared, folder: Path) -> None:
    (folder / _CONTENTS).write_text(json.dumps(_contents(prepared)), encoding="utf-8")


def _contents(prepared: Prepared) -> dict[str, Any]:
    """Everything that is not in a store, and checksums of it all."""
    drops = [vars(drop) for drop in prepared.drops]
    return {
        "train": prepared.train.digests,
        "validation": prepared.validation.digests,
        "drops": drops,
        "drops_sha256": _sha256(json.dumps(drops).encode()),
    }


@contextmanager
def _new_entry(entry: Path) -> Iterator[Path]:
    """A scratch folder that becomes `entry` when the block ends well, unless there is one by then.

    Nothing is flushed to the disk: what a crash tears apart, the checksums tell.
    """
    entry.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=PARTIAL_PREFIX, dir=entry.parent))
    try:
        yield scratch
        with suppress(FileExistsError, OSError):
            scratch.rename(entry)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _remove_oldest(newest: Path) -> None:
    """Keep the cache below its bound: entries go, the longest unused first, but never `newest`."""
    entries = []
    for folder in newest.parent.iterdir():
        with suppress(OSError):  # another run removes at the same time
            used, size = folder.stat().st_mtime, _bytes(folder)
            if not folder.name.startswith(PARTIAL_PREFIX):
                entries.append((used, size, folder))
            elif time.time() - used > ABANDONED_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
    total = sum(size for _, size, _ in entries)
    for _, size, folder in sorted(entries):
        if total > LARGEST_CACHE_BYTES and folder != newest:
            shutil.rmtree(folder, ignore_errors=True)
            total -= size


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*"))
