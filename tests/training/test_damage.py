"""A real checkpoint with a bit flipped, or an end cut off: never loaded."""

import json
import random
import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from nybble.model.adapters import trainable_parameters
from nybble.runs.errors import InputError
from nybble.training.checkpoint import load_checkpoint
from nybble.training.good import newest_good

pytestmark = pytest.mark.slow
DAMAGES = 200 if settings().max_examples >= 1000 else 20


@pytest.fixture(scope="module")
def files() -> list[str]:
    return ["adapter_config.json", "adapter_model.safetensors", "manifest.json",
            "optimizer.safetensors", "trainer_state.json"]  # fmt: skip


def test_no_damage_is_loaded(make_trainer, tmp_path: Path, files: list[str], capsys) -> None:
    run = make_trainer(tmp_path, max_steps=3, save_steps=1)
    run.run()
    folder = tmp_path / "checkpoints"
    assert sorted(p.name for p in (folder / "checkpoint-2").iterdir()) == files
    whole = {name: (folder / "checkpoint-2" / name).read_bytes() for name in files}
    before = [p.detach().clone() for p in trainable_parameters(run.model).values()]
    draw = random.Random(7)
    for number in range(DAMAGES):
        name = files[number % len(files)]
        content = bytearray(whole[name])
        place = draw.randrange(len(content))
        if number // len(files) % 2:
            del content[place:]
        else:
            content[place] ^= 1 << draw.randrange(8)
        path = folder / "checkpoint-2" / name
        path.write_bytes(content)
        with pytest.raises(InputError, match="is damaged"):
            load_checkpoint(folder / "checkpoint-2", run.model, run.update.optimizer)
        assert newest_good(folder) == folder / "checkpoint-1"
        path.write_bytes(whole[name])
    assert newest_good(folder) == folder / "checkpoint-2"
    assert capsys.readouterr().out.count("is left out") == DAMAGES
    after = trainable_parameters(run.model).values()
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_a_resume_removes_what_it_will_do_again(make_trainer, tmp_path: Path) -> None:
    """A damaged future does not count among the checkpoints that are kept."""
    run = make_trainer(tmp_path, save_steps=1, save_total_limit=2)
    run.run()
    folder = tmp_path / "checkpoints"
    (folder / "checkpoint-5" / "trainer_state.json").write_text(json.dumps({}))
    shutil.copytree(folder / "checkpoint-5", folder / "checkpoint-9")
    again = make_trainer(tmp_path, save_steps=100, save_total_limit=2)
    again._restore(folder / "checkpoint-4")
    again.saved = None
    again._save()
    assert [p.name for p in folder.iterdir()] == ["checkpoint-4"]
