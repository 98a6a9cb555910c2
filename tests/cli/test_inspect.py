import json
import subprocess
import sys

LIGHT = """
import sys
from nybble.cli.inspect import inspect
inspect("bundled:mini")
inspect("price-demo", as_json=True)
heavy = {"torch", "transformers", "peft", "bitsandbytes", "datasets", "accelerate", "sklearn"}
print(sorted(heavy & set(sys.modules)))
"""


def test_a_model_and_a_recipe(nybble):
    result = nybble("inspect", "bundled:mini")
    assert result.exit_code == 0, result.output
    assert "model.layers.{0..3}.self_attn.q_proj" in result.stdout
    told = json.loads(nybble("inspect", "price-demo", "lora.r=3", "--json").stdout)
    assert told["recipe"]["lora"]["r"] == 3


def test_refusals(refused, work):
    (work / "gpt2").mkdir()
    (work / "gpt2" / "config.json").write_text('{"model_type": "gpt2"}')
    assert "'gpt2' are not known" in refused("inspect", "./gpt2").message
    assert "Did you mean price-demo?" in refused("inspect", "price-dem").fix
    assert "no config.json" in refused("inspect", ".").message


def test_nothing_heavy_is_imported(work):
    done = subprocess.run(
        [sys.executable, "-c", LIGHT], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
