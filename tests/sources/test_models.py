"""Where a model is, and what keeps its folder from loading."""

from collections.abc import Callable
from pathlib import Path

import pytest

from nybble.runs.errors import InputError
from nybble.sources.models import check_adapter, check_model, locate_adapter, locate_model

from .tiny import adapter_files, model_files, weights, write

Files = dict[str, bytes]


def without(*names: str) -> Callable[[Files], Files]:
    return lambda files: {name: files[name] for name in files if name not in names}


def plus(**contents: bytes) -> Callable[[Files], Files]:
    """Files added or replaced; in names, `__` stands for a dot."""
    return lambda files: files | {n.replace("__", "."): c for n, c in contents.items()}


def test_the_bundled_model_is_whole() -> None:
    folder = locate_model("bundled:mini", "main")
    check_model(folder)
    assert (folder / "config.json").is_file()


def test_an_unknown_bundled_model_names_the_known_one() -> None:
    with pytest.raises(InputError, match="No bundled model is called 'maxi'") as refused:
        locate_model("bundled:maxi", "main")
    assert "bundled:mini" in refused.value.fix


def test_a_local_folder(tmp_path: Path) -> None:
    folder = write(tmp_path / "mine", model_files())
    assert locate_model(str(folder), "main") == folder
    check_model(folder)


@pytest.mark.parametrize("locate", [locate_model, locate_adapter])
def test_a_folder_that_is_not_there(tmp_path: Path, locate: Callable[..., Path]) -> None:
    with pytest.raises(InputError, match="gone does not exist"):
        locate(str(tmp_path / "gone"), "main")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="file is a file, not a folder"):
        locate(str(tmp_path / "file"), "main")


@pytest.mark.parametrize("text", ["owner/name:main", "owner/name#test"])
def test_a_model_has_no_configuration_or_split(text: str) -> None:
    with pytest.raises(InputError, match="only data sets have"):
        locate_model(text, "main")


@pytest.mark.parametrize("tokenizer", ["tokenizer.json", "tokenizer.model", "vocab.json"])
def test_any_of_three_tokenizers_will_do(tmp_path: Path, tokenizer: str) -> None:
    files = without("tokenizer.json")(model_files(shards=3)) | {tokenizer: b"{}"}
    check_model(write(tmp_path, files))


@pytest.mark.parametrize(
    ("change", "message", "fix"),
    [
        (without("config.json"), "has no config.json", "folder"),
        (plus(config__json=b"{"), "config.json is not JSON: Expecting", "again"),
        (plus(config__json=b"\xff"), "config.json is not JSON", "again"),
        (plus(config__json=b"[" * 100_000), "config.json is not JSON", "again"),
        (plus(config__json=b"[]"), "config.json is not a JSON object", "again"),
        (without("model.safetensors"), "has no weights in *.safetensors.", "safetensors"),
        (
            lambda f: plus(pytorch_model__bin=b"P")(without("model.safetensors")(f)),
            "only pickled ones: pytorch_model.bin",
            "not loaded: convert them to safetensors",
        ),
        (plus(model__safetensors=weights()[:-1]), "model.safetensors is cut off", "again"),
        (plus(extra__safetensors=weights()[:9]), "extra.safetensors is cut off", "again"),
        (without("tokenizer.json"), "has no tokenizer", "tokenizer"),
        (
            plus(tokenizer__json=b"version https://git-lfs.github.com/spec/v1\n"),
            "tokenizer.json is a Git LFS pointer",
            "git lfs pull",
        ),
        (
            lambda f: without("config.json")(f) | adapter_files(),
            "is an adapter, not a model",
            "model.adapter",
        ),
    ],
)
def test_models_that_would_not_load(
    tmp_path: Path, change: Callable[[Files], Files], message: str, fix: str
) -> None:
    folder = write(tmp_path, change(model_files()))
    with pytest.raises(InputError) as refused:
        check_model(folder)
    assert message in refused.value.message
    assert fix in refused.value.fix
    assert str(folder) in refused.value.message


def test_missing_shards_are_named(tmp_path: Path) -> None:
    folder = write(tmp_path, model_files(shards=3))
    check_model(folder)
    (folder / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(InputError, match=r"lacks 1 of the 3 .*: model-00002-of-00003.safetensors"):
        check_model(folder)


def test_a_shard_of_another_model_is_named(tmp_path: Path) -> None:
    """The right name and a whole file, but not the tensors that the index promises."""
    folder = write(tmp_path, model_files(shards=3))
    shard = folder / "model-00003-of-00003.safetensors"
    shard.write_bytes(weights(3, layer=7))
    with pytest.raises(InputError, match=r"00003\.safetensors lacks 2 of the 2 tensors") as refused:
        check_model(folder)
    assert "2.a.weight, 2.b.weight." in refused.value.message
    shard.write_bytes(weights(3, layer=2))
    check_model(folder)


def test_a_cut_shard_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path, model_files(shards=3))
    shard = folder / "model-00003-of-00003.safetensors"
    shard.write_bytes(shard.read_bytes()[:-4])
    with pytest.raises(InputError, match=r"model-00003-of-00003.safetensors is cut off"):
        check_model(folder)


@pytest.mark.parametrize(
    "index",
    [b"{}", b'{"weight_map": []}', b'{"weight_map": {"a": "../x"}}', b'{"weight_map": {"a": 1}}'],
)
def test_an_index_that_maps_nothing(tmp_path: Path, index: bytes) -> None:
    folder = write(tmp_path, model_files() | {"model.safetensors.index.json": index})
    with pytest.raises(InputError, match=r"index\.json does not map tensors to files"):
        check_model(folder)


def test_a_whole_adapter(tmp_path: Path) -> None:
    folder = write(tmp_path / "adapter", adapter_files())
    assert locate_adapter(str(folder), "main") == folder
    check_adapter(folder)


@pytest.mark.parametrize(
    ("change", "message", "fix"),
    [
        (without("adapter_config.json"), "has no adapter_config.json", "folder"),
        (plus(adapter_config__json=b"1"), "adapter_config.json is not a JSON object", "again"),
        (
            lambda f: plus(adapter_model__bin=b"P")(without("adapter_model.safetensors")(f)),
            "has no weights in adapter_model.safetensors, only pickled ones: adapter_model.bin",
            "not loaded",
        ),
        (
            plus(adapter_model__safetensors=weights()[:-1]),
            "adapter_model.safetensors is cut",
            "again",
        ),
    ],
)
def test_adapters_that_would_not_load(
    tmp_path: Path, change: Callable[[Files], Files], message: str, fix: str
) -> None:
    with pytest.raises(InputError) as refused:
        check_adapter(write(tmp_path, change(adapter_files())))
    assert message in refused.value.message
    assert fix in refused.value.fix


def test_the_folder_of_a_run_points_to_its_adapter(tmp_path: Path) -> None:
    write(tmp_path / "adapter", adapter_files())
    with pytest.raises(InputError, match="is not an adapter") as refused:
        check_adapter(tmp_path)
    assert str(tmp_path / "adapter") in refused.value.fix
