"""The room's door opens at once: no library that takes seconds to import comes with it."""

import subprocess
import sys
from pathlib import Path

import nybble.sources

HEAVY = ("torch", "transformers", "huggingface_hub", "datasets", "pyarrow", "numpy", "safetensors")


def test_importing_the_room_imports_nothing_heavy() -> None:
    program = f"import sys, nybble.sources; print([m for m in {HEAVY} if m in sys.modules])"
    source = str(Path(nybble.sources.__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": source},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_what_is_exported_is_there() -> None:
    for name in nybble.sources.__all__:
        assert callable(getattr(nybble.sources, name))
