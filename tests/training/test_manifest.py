"""Every flipped bit and every cut of a checkpoint's files is noticed."""

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nybble.runs.errors import InputError
from nybble.training.good import newest_good
from nybble.training.manifest import MANIFEST, damage, write_manifest

FILES = {
    "adapter_config.json": b'{"r": 16}\n',
    "adapter_model.safetensors": bytes(range(256)) * 40,
    "optimizer.safetensors": bytes(reversed(range(256))) * 80,
    "trainer_state.json": b'{"step": 3}\n',
}
# The profile of `make exhaustive` asks for 200 and more of each kind of damage.
EXAMPLES = 200 if settings().max_examples >= 1000 else 30


def checkpoint(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    write_manifest(folder)
    return folder


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from([*FILES, MANIFEST]), data=st.data(), cut=st.booleans())
def test_damage_is_noticed(tmp_path: Path, name: str, data: st.DataObject, cut: bool) -> None:
    folder = tmp_path / "checkpoint-3"
    shutil.rmtree(folder, ignore_errors=True)
    path = checkpoint(folder) / name
    assert damage(folder) is None
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if cut:
        del content[place:]
    else:
        content[place] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    assert damage(folder)


@pytest.mark.parametrize("name", [*FILES, MANIFEST])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    folder = checkpoint(tmp_path / "checkpoint-3")
    (folder / name).unlink()
    assert damage(folder) == f"{name} is missing"


def test_the_newest_whole_one_is_taken_and_the_damaged_one_told(tmp_path: Path, capsys) -> None:
    assert newest_good(tmp_path) is None
    old, new = checkpoint(tmp_path / "checkpoint-3"), checkpoint(tmp_path / "checkpoint-10")
    assert newest_good(tmp_path) == new
    (new / "optimizer.safetensors").write_bytes(b"")
    assert newest_good(tmp_path) == old
    assert "checkpoint-10 is left out: optimizer.safetensors has 0 bytes" in capsys.readouterr().out
    (old / MANIFEST).write_text("{}")
    with pytest.raises(InputError, match="No checkpoint is whole"):
        newest_good(tmp_path)
