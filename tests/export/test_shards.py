import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from nybble.export.shards import INDEX, ShardWriter, stored_tensors

pytestmark = pytest.mark.slow
TENSORS = {f"layer.{i}": torch.full((10,), float(i)) for i in range(5)}


@pytest.mark.parametrize(("shard_bytes", "sizes"), [(1000, [5]), (80, [2, 2, 1]), (1, [1] * 5)])
def test_every_tensor_comes_back_from_shards_of_the_size(tmp_path, shard_bytes, sizes) -> None:
    writer = ShardWriter(tmp_path, shard_bytes)
    for name, tensor in TENSORS.items():
        writer.add(name, tensor)
    files = writer.close()
    assert [len(load_file(tmp_path / file)) for file in files] == sizes
    found = dict(stored_tensors(tmp_path))
    assert found.keys() == TENSORS.keys()
    assert all(torch.equal(found[name], TENSORS[name]) for name in TENSORS)
    assert writer.total_bytes == 200


def test_the_index_is_what_transformers_reads(tmp_path) -> None:
    writer = ShardWriter(tmp_path, 80)
    for name, tensor in TENSORS.items():
        writer.add(name, tensor)
    files = writer.close()
    assert files[0] == "model-00001-of-00003.safetensors"
    index = json.loads((tmp_path / INDEX).read_text())
    assert index["weight_map"]["layer.4"] == files[2]
    assert index["metadata"]["total_size"] == 200
    assert {path.name for path in tmp_path.iterdir()} == {*files, INDEX}


def test_others_may_read_what_was_written(tmp_path) -> None:
    writer = ShardWriter(tmp_path)
    writer.add("a", torch.zeros(1))
    writer.close()
    assert (tmp_path / "model.safetensors").stat().st_mode & 0o777 == 0o644


def test_what_lies_beside_a_models_own_file_is_not_its(tmp_path):
    """Mistral's folders hold the same weights a second time, as consolidated.safetensors."""
    save_file({"a": torch.zeros(2)}, tmp_path / "model.safetensors")
    save_file({"layers.0.a": torch.zeros(2)}, tmp_path / "consolidated.safetensors")
    assert [name for name, _ in stored_tensors(tmp_path)] == ["a"]
