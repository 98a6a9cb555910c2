"""Each tracker for real, in its offline or local mode: what it keeps is what metrics.jsonl says.

`make integrations` runs these in an environment that has the trackers; elsewhere they are skipped.
"""

import importlib.util
import json
import os
import shutil
import struct
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
SHORT = ["train.max_steps=6", "train.save_steps=3", "train.eval_steps=3", "data.limit=120",
         "data.validation=10", "data.test=10", "evaluate.size=0", "train.batch_size=4",
         "lora.r=4", "train.project=prices"]  # fmt: skip
KEY = "0123456789abcdef" * 2 + "01234567"
# In what a tracker keeps: the values of each metric by step.
Kept = dict[str, dict[int, float]]


def nybble(home: Path, *words: str, **more: str) -> str:
    """What a command prints, run in `home` with nothing of this machine's settings."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("WANDB", "MLFLOW"))}
    environment |= {"HOME": str(home), "TRACKIO_DIR": str(home / "trackio"), **more}
    done = subprocess.run(
        [sys.executable, "-m", "nybble", *words],
        cwd=home, env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def interrupt(run: Path) -> None:
    """As if the run had been killed after its checkpoint of step 3."""
    shutil.rmtree(run / "adapter")


def written(run: Path) -> Kept:
    """metrics.jsonl as trackers are told it."""
    kept: Kept = defaultdict(dict)
    for line in (run / "metrics.jsonl").read_text().splitlines():
        values = json.loads(line)
        step = values.pop("step")
        for name, value in values.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                kept[name][step] = value
    return dict(kept)


def tensorboard(home: Path, run: Path) -> Kept:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (folder,) = {path.parent for path in (run / "tracking").rglob("events.out.*")
                 if path.parent.name == "tensorboard"}  # fmt: skip
    events = EventAccumulator(str(folder)).Reload()
    return {
        name: {event.step: event.value for event in events.Scalars(name)}
        for name in events.Tags()["scalars"]
    }


def log_records(content: bytes) -> Iterator[bytes]:
    """The records of an offline run's file: LevelDB's log format, behind a header of seven bytes.

    Blocks of 32 KiB; of a record each part has a checksum, its length and whether it is the last.
    """
    place, data = 7, b""
    while place + 7 <= len(content):
        left = 32768 - place % 32768
        if left < 7:
            place += left
            continue
        length, kind = struct.unpack_from("<HB", content, place + 4)
        data += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield data
            data = b""


def wandb(home: Path, run: Path) -> Kept:
    from wandb.proto.wandb_internal_pb2 import Record

    kept: Kept = defaultdict(dict)
    name = json.loads((run / "tracking" / "wandb.json").read_text())["id"]
    for path in sorted((run / "tracking" / "wandb").glob(f"offline-run-*-{name}/*.wandb")):
        for data in log_records(path.read_bytes()):
            record = Record()
            record.ParseFromString(data)
            row = {".".join(i.nested_key) or i.key: json.loads(i.value_json)
                   for i in record.history.item}  # fmt: skip
            for key, value in row.items():
                if not key.startswith("_"):
                    kept[key][int(row["_step"])] = value
    return dict(kept)


def mlflow(home: Path, run: Path) -> Kept:
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{home / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("prices")
    (found,) = client.search_runs([experiment.experiment_id])
    assert found.info.status == "FINISHED" and found.data.params["lora.r"] == "4"
    return {
        name: {m.step: m.value for m in client.get_metric_history(found.info.run_id, name)}
        for name in found.data.metrics
    }


def trackio(home: Path, run: Path) -> Kept:
    code = ("import json; from trackio.sqlite_storage import SQLiteStorage as S;"
            "(r,) = S.get_run_records('prices');"
            "print(json.dumps(S.get_logs('prices', r['name'])))")  # fmt: skip
    said = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"TRACKIO_DIR": str(home / "trackio")},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    kept: Kept = defaultdict(dict)
    for row in json.loads(said.stdout.splitlines()[-1]):
        for key, value in row.items():
            if key not in ("step", "timestamp") and isinstance(value, int | float):
                kept[key][row["step"]] = value
    return dict(kept)


READERS: dict[str, Callable[[Path, Path], Kept]] = {
    "tensorboard": tensorboard, "wandb": wandb, "mlflow": mlflow, "trackio": trackio,
}  # fmt: skip


@pytest.mark.parametrize("name", READERS)
def test_what_is_kept_is_what_was_measured_also_over_a_resume(name: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"needs {name}: make integrations")
    run = tmp_path / "run"
    secrets = {"WANDB_API_KEY": KEY, "WANDB_MODE": "offline"} if name == "wandb" else {}
    said = nybble(tmp_path, "train", "price-demo", *SHORT, f"train.report_to={name}",
                  "--output", "run", **secrets)  # fmt: skip
    assert "is told no more" not in said
    check(READERS[name](tmp_path, run), written(run))
    interrupt(run)
    said = nybble(tmp_path, "resume", "run", **secrets)
    assert "is told no more" not in said and "checkpoint-3" in said
    check(READERS[name](tmp_path, run), written(run))
    assert KEY not in said
    for path in run.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path


def check(kept: Kept, expected: Kept) -> None:
    for name, values in expected.items():
        assert kept[name] == pytest.approx(values, rel=1e-6), name
    assert sorted(kept["loss"]) == [1, 2, 3, 4, 5, 6]
    assert sorted(kept["validation_loss"]) == [3, 6]


def test_without_a_login_wandb_keeps_the_run_on_this_machine(tmp_path: Path) -> None:
    if importlib.util.find_spec("wandb") is None:
        pytest.skip("needs wandb: make integrations")
    said = nybble(tmp_path, "train", "price-demo", *SHORT, "train.report_to=wandb",
                  "--output", "run")  # fmt: skip
    assert "nobody is logged in" in said
    assert list((tmp_path / "run" / "tracking" / "wandb").glob("offline-run-*"))
