"""How long after SIGTERM, which comes before a machine is taken away, a training has ended.

    python benchmarks/sigterm.py OUT.json [--model bundled:mini] [--moments 10] [--steps 120]

One training runs to its end, and tells how long it takes from the first line to the last. Then as
many begin as there are moments, and each gets SIGTERM at one of them: while libraries are loaded,
the model is, steps are computed, checkpoints written, validation rows judged. Seconds are from the
signal to the end of the process; what it had done must be in a checkpoint.
"""

import argparse
import json
import platform
import signal
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kills import logged, newest, write_recipe


def terminated(command: list[str], run: Path, after: float) -> dict[str, Any]:
    """Starts `command` and sends SIGTERM `after` seconds."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        process.wait(after)
        return {"signal_after_seconds": round(after, 2), "ended_before": True}
    except subprocess.TimeoutExpired:
        steps = [line["step"] for line in logged(run)]
    began = time.perf_counter()
    process.send_signal(signal.SIGTERM)
    process.communicate()
    return {
        "signal_after_seconds": round(after, 2),
        "steps_logged_by_then": steps[-1] if steps else 0,
        "ended_within_seconds": round(time.perf_counter() - began, 2),
        "code": process.returncode,
        "checkpoint": newest(run),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="bundled:mini")
    parser.add_argument("--moments", type=int, default=10)
    parser.add_argument("--steps", type=int, default=120)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        recipe = write_recipe(folder, given.steps, deterministic=False)
        command = [sys.executable, "-m", "nybble", "train", str(recipe)]
        command += [f"model.base={given.model}", "--output"]
        began = time.perf_counter()
        subprocess.run([*command, str(folder / "whole")], check=True, stdout=subprocess.DEVNULL)
        whole_seconds = time.perf_counter() - began
        found = []
        for moment in range(given.moments):
            run = folder / f"run-{moment}"
            after = whole_seconds * (moment + 0.5) / given.moments
            found.append(terminated([*command, str(run)], run, after))
            print(json.dumps(found[-1]), flush=True)
    import torch

    record = {
        "date": time.strftime("%Y-%m-%d"),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU",
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "transformers", "peft", "bitsandbytes")},
        "model": given.model if given.model.startswith("bundled:") else Path(given.model).name,
        "whole_seconds": round(whole_seconds, 1),
        "moments": found,
        "longest_seconds": max(one.get("ended_within_seconds", 0.0) for one in found),
    }
    kept = json.loads(given.out.read_text())["records"] if given.out.exists() else []
    given.out.write_text(json.dumps({"records": [*kept, record]}, indent=1) + "\n")


if __name__ == "__main__":
    main()
