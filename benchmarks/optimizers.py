"""What each optimiser costs and saves on a GPU, through `nybble train` itself.

    python benchmarks/optimizers.py MODEL OUT.json [--runs 1]

MODEL is as in `benchmarks/engine.py`, and so is the workload: `dense`, 2 rows of 2,048, in its
least memory, here with r = 128, so that 195 million values are trained and moments weigh something.
The default is timed first and last: how far those two lie apart is what a difference must exceed.
"""

import argparse
import json
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from engine import SETTINGS, train

OPTIMIZERS = ("adamw_torch_fused", "adamw_8bit", "paged_adamw_32bit", "paged_adamw_8bit")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("out", type=Path)
    parser.add_argument("--runs", type=int, default=1)
    arguments = parser.parse_args()
    packages = ("torch", "transformers", "peft", "bitsandbytes")
    about = {"date": time.strftime("%Y-%m-%d")} | {name: version(name) for name in packages}
    records: list[dict[str, Any]] = []
    for optimizer in [*OPTIMIZERS * arguments.runs, OPTIMIZERS[0]]:
        overrides = [*SETTINGS["dense"]["tight"], "lora.r=128", f"train.optim={optimizer}"]
        with tempfile.TemporaryDirectory() as scratch:
            found = train(arguments.model, "dense", overrides, Path(scratch))
        records.append({"optim": optimizer, **found})
        print(json.dumps(records[-1]), flush=True)
        arguments.out.write_text(json.dumps({"about": about, "records": records}, indent=1) + "\n")


if __name__ == "__main__":
    main()
