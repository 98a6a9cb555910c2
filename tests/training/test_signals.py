"""Real training processes that are asked to end, wherever they are."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import settings

from nybble.training.signals import StopAsked, StopNow

slow = pytest.mark.slow
SMALL = ["price-demo", "data.limit=100", "data.validation=8", "data.test=30", "evaluate.size=0",
         "train.batch_size=4", "lora.lora_dropout=0.1"]  # fmt: skip
ENDLESS = [*SMALL, "train.max_steps=20000", "train.save_steps=0"]
SHORT = [*SMALL, "train.max_steps=5", "train.eval_steps=2", "train.save_steps=0"]
# `nybble`, in which one piece of work takes an hour: its module, its name, and at which call.
SLOWED = """
import importlib, sys, time
from nybble.cli.main import app
module, owner, name, call = sys.argv.pop(1).split(":")
held = importlib.import_module(module)
held = getattr(held, owner) if owner else held
real, calls = getattr(held, name), []
def slowed(*args, **kwargs):
    calls.append(1)
    if len(calls) == int(call):
        print("an hour begins", flush=True)
        time.sleep(3600)
    return real(*args, **kwargs)
setattr(held, name, slowed)
app()
"""
# What takes so long, and the step that is saved then: none where no step was done.
LONG = {"an evaluation": ("nybble.engine.fast:FastPath:evaluate:2", 4)}
# What `make exhaustive` tries, too.
MORE = {
    "a step": ("nybble.engine.fast:FastPath:train:4", 3),
    "the first step": ("nybble.engine.fast:FastPath:train:1", 0),
    "the rows": ("nybble.pipeline.stage::prepare_once:1", 0),
    "the model": ("nybble.pipeline.train::load_base:1", 0),
}


def started(*command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def losses(run: Path) -> list[tuple[int, float | None, float | None]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").open()]
    return [
        (x["step"], x.get("loss"), x.get("validation_loss")) for x in lines if "resumed" not in x
    ]


@slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_steps_that_are_done_are_saved(number: int, code: int, tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = started("-m", "nybble", "train", *ENDLESS, "--output", str(run))
    metrics = run / "metrics.jsonl"
    while process.poll() is None and not (metrics.exists() and metrics.read_text()):
        time.sleep(0.1)
    os.kill(process.pid, number)
    _, told = process.communicate(timeout=60)
    assert process.returncode == code, told
    (checkpoint,) = (run / "checkpoints").iterdir()
    steps = len(metrics.read_text().splitlines())
    assert checkpoint.name == f"checkpoint-{steps}"
    assert "nybble resume" in told


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("signals") / "whole"
    done = started("-m", "nybble", "train", *SHORT, "--output", str(run))
    assert done.communicate(timeout=120) and done.returncode == 0
    return run


def ended_by_sigterm(place: str, run: Path, *fields: str) -> str:
    """What a training tells that gets SIGTERM while `place` takes an hour."""
    process = started("-c", SLOWED, place, "train", *SHORT, *fields, "--output", str(run))
    assert process.stdout
    while "an hour begins" not in (line := process.stdout.readline()):
        assert line, process.communicate()
    process.terminate()
    told: str = process.communicate(timeout=60)[1]
    assert process.returncode == 143, told
    return told


@slow
@pytest.mark.parametrize("what", LONG | MORE if settings().max_examples >= 1000 else LONG)
def test_sigterm_does_not_wait_for_what_takes_long(what: str, whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    place, saved = (LONG | MORE)[what]
    # Rows of its own, where they have to be prepared.
    own = ["data.seed=5"] if what == "the rows" else []
    told = ended_by_sigterm(place, run, *own)
    assert len(told.strip().splitlines()) == 2, told
    assert told.startswith("Ended by SIGTERM")
    if not saved:
        assert not run.exists()
        return
    assert [p.name for p in (run / "checkpoints").iterdir()] == [f"checkpoint-{saved}"]
    resumed = started("-m", "nybble", "resume", str(run))
    assert resumed.communicate(timeout=120) and resumed.returncode == 0
    name = "adapter/adapter_model.safetensors"
    assert (run / name).read_bytes() == (whole / name).read_bytes()
    assert losses(run) == losses(whole)


@slow
def test_a_run_that_was_through_is_not_said_to_have_never_begun(tmp_path: Path) -> None:
    run = tmp_path / "run"
    place = "nybble.pipeline.run::write_report:1"
    told = ended_by_sigterm(place, run)
    assert "goes on from the trained adapter" in told and (run / "adapter").exists()


@slow
def test_ctrl_c_twice_in_a_long_save_tears_nothing(tmp_path: Path) -> None:
    run = tmp_path / "run"
    place = "nybble.training.checkpoint::write_manifest:2"
    fields = [*SMALL, "train.max_steps=5", "train.save_steps=2"]
    process = started("-c", SLOWED, place, "train", *fields, "--output", str(run))
    assert process.stdout
    while "an hour begins" not in (line := process.stdout.readline()):
        assert line, process.communicate()
    process.send_signal(signal.SIGINT)
    while "Ctrl-C again" not in (line := process.stdout.readline()):
        assert line, process.communicate()
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert [p.name for p in (run / "checkpoints").iterdir()] == ["checkpoint-2"]
    assert "goes on from step 2" in told
    resumed = started("-m", "nybble", "resume", str(run))
    assert resumed.communicate(timeout=120) and resumed.returncode == 0


def test_what_may_be_broken_off_is_broken_off_at_once() -> None:
    with StopAsked() as stop:
        with pytest.raises(StopNow), stop.breaking(signal.SIGTERM):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10)
        assert stop.signal == signal.SIGTERM
        with pytest.raises(StopNow), stop.breaking(signal.SIGTERM, signal.SIGINT):
            pytest.fail("asked before, so not begun")


def test_ctrl_c_leaves_a_step_to_its_end_and_twice_does_not() -> None:
    with StopAsked() as stop:
        with stop.breaking(signal.SIGTERM):
            os.kill(os.getpid(), signal.SIGINT)
            assert stop.signal == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(10)


def test_a_helper_does_not_heed() -> None:
    with StopAsked(heeds=False) as stop, stop.breaking(signal.SIGTERM):
        os.kill(os.getpid(), signal.SIGTERM)
    assert stop.signal is None
