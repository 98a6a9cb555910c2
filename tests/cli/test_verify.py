import json

import pytest


def test_a_whole_model_is_0_and_says_so(nybble, model):
    result = nybble("verify", model())
    assert result.exit_code == 0, result.output
    assert "✓ model.safetensors" in result.stdout
    assert "is whole" in result.stdout


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_missing_file_is_1_with_a_cross(nybble, model, name):
    result = nybble("verify", model(name))
    assert result.exit_code == 1
    assert "✗ " in result.stdout
    assert "missing" in result.stdout
    assert "Not whole: 1 of" in result.stdout
    assert result.stderr == ""


def test_json_tells_every_file(nybble, model):
    result = nybble("verify", model("tokenizer.json"), "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert told["whole"] is False
    assert {f["file"]: f["status"] for f in told["files"]}["tokenizer.json"] == "error"
    assert json.loads(nybble("verify", "bundled:mini", "--json").stdout)["whole"] is True


@pytest.mark.parametrize("name", ["./nowhere", "bundled:maxi", "no model at all"])
def test_what_cannot_be_looked_at_is_refused(refused, name):
    refused("verify", name)
