"""Whole files of weights pass; whatever was cut, grown or scrambled is named with its sizes."""

import json
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nybble.runs.errors import InputError
from nybble.sources.weights import check_not_pointer, check_safetensors

from .tiny import weights

WHOLE = weights()


def headed(header: bytes, data: bytes = b"") -> bytes:
    """A file with that header and data."""
    return struct.pack("<Q", len(header)) + header + data


def test_a_whole_file_passes(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(WHOLE)
    check_safetensors(path)


def test_a_file_without_tensors_passes(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(headed(b'{"__metadata__": {"format": "pt"}}'))
    check_safetensors(path)


def test_sizes_are_named(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(WHOLE[:-5])
    with pytest.raises(InputError) as refused:
        check_safetensors(path)
    assert str(path) in refused.value.message
    assert f"asks for {len(WHOLE):,} bytes, the file has {len(WHOLE) - 5:,}" in str(refused.value)


@given(cut=st.integers(0, len(WHOLE) - 1))
def test_no_cut_goes_unseen(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    path = tmp_path_factory.mktemp("cut") / "model.safetensors"
    path.write_bytes(WHOLE[:cut])
    with pytest.raises(InputError, match="is cut off"):
        check_safetensors(path)


@pytest.mark.parametrize(
    "content",
    [
        WHOLE + b"\0",
        b"PK\x03\x04 a zip archive, as pickled weights are",
        headed(b"not json"),
        headed(b"[1, 2]"),
        headed(b'{"a": 1}'),
        headed(b'{"a": {}}'),
        headed(b'{"a": {"data_offsets": [4, 0]}}'),
        headed(b'{"a": {"data_offsets": [-4, 0]}}'),
        headed(b'{"a": {"data_offsets": ["0", "4"]}}', b"1234"),
        headed(b'{"a": {"data_offsets": [0, 4, 8]}}', b"12345678"),
        headed(json.dumps({"é": 1}, ensure_ascii=False).encode("latin-1")),
        headed(b"[" * 100_000),
    ],
)
def test_corrupt(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"model\.safetensors is corrupt"):
        check_safetensors(path)


def test_git_lfs_pointer(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    for check in (check_safetensors, check_not_pointer):
        with pytest.raises(InputError, match="is a Git LFS pointer") as refused:
            check(path)
        assert "git lfs pull" in refused.value.fix
