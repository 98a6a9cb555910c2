"""Run as a script: one push in a process of its own, whose environment names the Hub.

Arguments as JSON on stdin: [run folder, to, merged, private, revision]. The outcome is the last
line: {"value": address} or {"message": ..., "fix": ..., "exit": ...}.
"""

import json
import sys
from pathlib import Path

from nybble.export.push import push
from nybble.recipe import load_recipe
from nybble.runs.errors import NybbleError
from nybble.runs.folder import RunFolder

if __name__ == "__main__":
    run, *arguments = json.load(sys.stdin)
    folder = RunFolder(Path(run))
    try:
        outcome = {"value": push(folder, load_recipe(str(folder.recipe)), *arguments)}
    except NybbleError as error:
        outcome = {"message": error.message, "fix": error.fix, "exit": error.exit_code}
    heavy = {"torch", "transformers", "peft"} & set(sys.modules)
    print(json.dumps(outcome | {"heavy": sorted(heavy)}))
