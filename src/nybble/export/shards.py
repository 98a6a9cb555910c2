"""Reading and writing a model's safetensors tensor by tensor, so that no model is whole in memory.

A model folder holds one `model.safetensors`, or several with an index that says which tensor lies
where.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from nybble.runs.atomic import write_json

WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"
SHARD_BYTES = 1_000_000_000


def stored_tensors(folder: Path) -> Iterator[tuple[str, Tensor]]:
    """Every tensor of the model in `folder` by name, each read when it is asked for."""
    index = folder / INDEX
    if index.is_file():
        weight_map = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        files = sorted({folder / name for name in weight_map.values()})
    elif (folder / WHOLE).is_file():
        files = [folder / WHOLE]
    else:
        files = sorted(folder.glob("*.safetensors"))
    for path in files:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 (safetensors' file is no dict)
                yield name, file.get_tensor(name)


class ShardWriter:
    """Collects tensors and writes a shard whenever `shard_bytes` would be exceeded."""

    def __init__(self, folder: Path, shard_bytes: int = SHARD_BYTES) -> None:
        self.folder = folder
        self.shard_bytes = shard_bytes
        self.total_bytes = 0
        self._shards: list[list[str]] = []
        self._waiting: dict[str, Tensor] = {}
        self._waiting_bytes = 0

    def add(self, name: str, tensor: Tensor) -> None:
        """Take `tensor`; it is on the disk once its shard is full or the writer is closed."""
        if self._waiting and self._waiting_bytes + tensor.nbytes > self.shard_bytes:
            self._flush()
        self._waiting[name] = tensor.cpu().contiguous()
        self._waiting_bytes += tensor.nbytes
        self.total_bytes += tensor.nbytes

    def close(self) -> list[str]:
        """Write what is left, name the shards `model-I-of-N`, write the index; gives the names."""
        self._flush()
        count = len(self._shards)
        if count == 1:
            self._part(0).rename(self.folder / WHOLE)
            return [WHOLE]
        files = [f"model-{i + 1:05}-of-{count:05}.safetensors" for i in range(count)]
        for place, file in enumerate(files):
            self._part(place).rename(self.folder / file)
        weight_map = {
            name: file for file, names in zip(files, self._shards, strict=True) for name in names
        }
        index = {"metadata": {"total_size": self.total_bytes}, "weight_map": weight_map}
        write_json(self.folder / INDEX, index)
        return files

    def _part(self, place: int) -> Path:
        return self.folder / f"part-{place}.safetensors"

    def _flush(self) -> None:
        # Without this entry transformers refuses to load the file.
        path = self._part(len(self._shards))
        save_file(self._waiting, path, metadata={"format": "pt"})
        path.chmod(0o644)  # safetensors leaves it to its owner alone
        self._shards.append(list(self._waiting))
        self._waiting, self._waiting_bytes = {}, 0
