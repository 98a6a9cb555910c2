"""What tells one loaded model from every other, as far as its answers go."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel, get_peft_model_state_dict

from nybble import __version__ as nybble_version
from nybble.model.device import compute_device

WEIGHTS = (".safetensors", ".bin")
# Fields of an adapter's config that change with where it lies, not with what it computes.
_SAYS_NOTHING = ("base_model_name_or_path", "revision", "inference_mode", "auto_mapping",
                 "peft_version", "target_modules")  # fmt: skip


def local_identity(
    model: Any,
    folder: Path,
    quantization: str,
    dtype: str,
    adapted: bool = True,
    new_tokens: Sequence[str] = (),
) -> str:
    """What tells a loaded model from every other: its base, how that is computed, its adapter.

    The base is known by the files of `folder` (their names on the Hub are checksums; elsewhere
    weights count by size and time, the rest by content), the adapter by its values in memory.
    Without `adapted`, it is the base alone, with rows for `new_tokens`: of two bases with other
    ones, the same ids say something else.
    """
    device = compute_device(model).type
    parts = [nybble_version, torch.__version__, _base(folder), quantization, dtype, device]
    if new_tokens:
        parts.append(json.dumps(list(new_tokens)))
    return "|".join([*parts, _adapter(model) if adapted else "base"])


def _base(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        digest.update(f"{path.name} ".encode())
        if path.suffix not in WEIGHTS:
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        elif path.is_symlink():
            digest.update(path.resolve().name.encode())
        else:
            about = path.stat()
            digest.update(f"{about.st_size} {about.st_mtime_ns}".encode())
    return digest.hexdigest()


def _adapter(model: Any) -> str:
    """A checksum of what was trained: what PEFT would save of `model`, and how it is used; or the
    weights of a model that was trained whole."""
    digest = hashlib.sha256()
    if not isinstance(model, PeftModel):
        trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
        for name, value in trained.items():
            digest.update(name.encode())
            digest.update(value.detach().float().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest() if trained else "base"
    for name, config in sorted(model.peft_config.items()):
        used = {k: str(v) for k, v in config.to_dict().items() if k not in _SAYS_NOTHING}
        digest.update(json.dumps([name, used], sort_keys=True).encode())
        for key, value in sorted(get_peft_model_state_dict(model, adapter_name=name).items()):
            digest.update(key.encode())
            digest.update(value.detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
