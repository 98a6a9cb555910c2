"""Small folders of models and adapters, with weights that the real library wrote."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save


def weights(values: int = 6, layer: int = 0) -> bytes:
    """A safetensors file of two tensors of a layer, `values` float32 numbers each."""
    tensor = np.arange(values, dtype=np.float32)
    tensors = dict(zip(tensor_names(layer), (tensor, -tensor), strict=True))
    return save(tensors, metadata={"format": "pt"})


def tensor_names(layer: int) -> tuple[str, str]:
    return f"{layer}.a.weight", f"{layer}.b.weight"


def model_files(shards: int = 0) -> dict[str, bytes]:
    """A model's files by name: one file of weights, or an index and so many shards."""
    files = {
        "config.json": b'{"model_type": "llama"}',
        "tokenizer.json": b"{}",
        "tokenizer_config.json": b"{}",
    }
    if not shards:
        return files | {"model.safetensors": weights()}
    names = [f"model-{i:05}-of-{shards:05}.safetensors" for i in range(1, shards + 1)]
    index = {tensor: name for i, name in enumerate(names) for tensor in tensor_names(i)}
    files["model.safetensors.index.json"] = json.dumps({"weight_map": index}).encode()
    return files | {name: weights(i + 1, i) for i, name in enumerate(names)}


def adapter_files() -> dict[str, bytes]:
    """An adapter's files by name."""
    return {
        "adapter_config.json": b'{"peft_type": "LORA"}',
        "adapter_model.safetensors": weights(),
    }


def write(folder: Path, files: dict[str, bytes]) -> Path:
    """The folder, made, with the files in it."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder
