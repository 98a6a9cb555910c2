"""Real processes on the CPU, through gloo: the adapter of one, and no one waits forever."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from safetensors.torch import load_file
from torch import Tensor

from nybble.pipeline.run import run
from nybble.recipe import load_recipe
from nybble.runs.atomic import read_json_lines
from nybble.runs.errors import InputError
from nybble.runs.place import Place, place_here, take_own_gpu

SMALL = (
    "data.limit=80", "data.validation=8", "data.test=8", "evaluate.size=0", "lora.lora_dropout=0.1",
)  # fmt: skip
SHORT = (
    *SMALL, "train.batch_size=5", "train.max_steps=4", "train.save_steps=1",
    "train.save_total_limit=4", "train.pack_tokens=64",
)  # fmt: skip


def start(folder: Path, processes: int, *overrides: str, verb: str = "train"):
    """`processes` of one training into `folder`, as torchrun would start them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "nybble", verb]
    if verb == "train":
        command += ["price-demo", "--output", str(folder), *overrides]
    else:
        command += [str(folder)]
    shared = {"WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    return [
        subprocess.Popen(
            command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=os.environ | shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in range(processes)
    ]  # fmt: skip


def ended(started) -> list[tuple[int, str, str]]:
    said = [process.communicate(timeout=120) for process in started]
    return [(p.returncode, *streams) for p, streams in zip(started, said, strict=True)]


def both_flat(one: Path, other: Path, file: str, end: str = "") -> list[Tensor]:
    """All tensors of `file` in both runs whose names end so, each as one vector in fp64."""
    a, b = (load_file(path / file) for path in (one, other))
    assert a.keys() == b.keys()
    names = [name for name in a if name.endswith(end)]
    return [torch.cat([run[name].flatten().double() for name in names]) for run in (a, b)]


@pytest.mark.slow
def test_two_processes_learn_what_one_does(tmp_path: Path) -> None:
    """The packs of a step are the same, whoever computes them, and their sum has the same bits.

    Otherwise AdamW, which divides a gradient by its own size, would move a weight by the full rate,
    up or down, wherever all that is left of a gradient is rounding.
    """
    alone = ended(start(tmp_path / "one", 1, *SHORT))
    assert alone[0][0] == 0, alone[0][2]
    both = ended(start(tmp_path / "two", 2, *SHORT))
    assert [code for code, _, _ in both] == [0, 0], both
    assert both[1][1] == "", "the second process prints nothing"
    runs = tmp_path / "one", tmp_path / "two"
    first = "checkpoints/checkpoint-1/optimizer.safetensors"
    one, two = both_flat(*runs, first, "exp_avg")  # a tenth of the clipped gradients
    assert torch.equal(one, two)
    one, two = both_flat(*runs, "adapter/adapter_model.safetensors")
    assert float((one - two).abs().max()) < 1e-6
    assert float((one - two).norm()) < 1e-6 * float(one.norm())
    lines = [read_json_lines(tmp_path / name / "metrics.jsonl") for name in ("one", "two")]
    assert len(lines[0]) == len(lines[1]) == 8
    for one, two in zip(*lines, strict=True):
        assert one.keys() == two.keys()
        assert one["step"] == two["step"]
        for key in {"loss", "validation_loss", "grad_norm"} & one.keys():
            assert two[key] == pytest.approx(one[key], rel=1e-6)
        for key in ("tokens", "scored_tokens", "padded_tokens", "learning_rate"):
            assert two.get(key) == one.get(key)


@pytest.mark.slow
@pytest.mark.parametrize("killed", [0, 1] if settings().max_examples >= 1000 else [1])
def test_a_killed_process_ends_the_other_with_the_reason(tmp_path: Path, killed: int) -> None:
    folder = tmp_path / "run"
    long = (*SMALL, "train.batch_size=8", "train.max_steps=100000", "train.save_steps=20")
    processes = start(folder, 2, *long)
    try:
        until = time.monotonic() + 90
        while not list(folder.glob("checkpoints/checkpoint-*")):
            assert time.monotonic() < until, "no checkpoint was written"
            assert all(process.poll() is None for process in processes), ended(processes)
            time.sleep(0.1)
        processes[killed].send_signal(signal.SIGKILL)
        _, error = processes[1 - killed].communicate(timeout=30)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert processes[1 - killed].returncode == 1
    assert len(error.strip().splitlines()[-2:]) == 2
    assert "is gone" in error
    assert "nybble resume" in error
    assert "Traceback" not in error
    assert list(folder.glob("checkpoints/checkpoint-*"))


def test_a_place_is_read_as_torchrun_tells_it(monkeypatch) -> None:
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert place_here() == Place()
    for name, value in (("RANK", "5"), ("LOCAL_RANK", "1"), ("WORLD_SIZE", "8")):
        monkeypatch.setenv(name, value)
    assert place_here() == Place(5, 1, 8)
    monkeypatch.setenv("RANK", "8")
    with pytest.raises(InputError, match="RANK=8"):
        place_here()


@pytest.mark.parametrize(("seen", "mine"), [(None, "1"), ("4,6", "6"), ("4", "")])
def test_a_process_sees_one_gpu(monkeypatch, seen, mine) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if seen is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", seen)
    take_own_gpu(Place(1, 1, 2))
    assert os.environ["CUDA_VISIBLE_DEVICES"] == mine


def test_several_seeds_are_for_one_process(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(InputError, match="--seeds 3"):
        run(load_recipe("price-demo", []), tmp_path / "x", seeds=3)
