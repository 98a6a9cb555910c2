import json

import pytest

from nybble.model import health
from nybble.model.finding import Finding


@pytest.fixture
def found(monkeypatch):
    """What the doctor finds; gives back whether it was to ask the Hub."""
    asked = []

    def set_findings(*findings):
        def examine(online):
            asked.append(online)
            return health.Health(findings)

        monkeypatch.setattr(health, "examine", examine)
        return asked

    return set_findings


def test_a_machine_that_is_well(nybble, found):
    asked = found(Finding("GPU", "ok", "H200"), Finding("token", "note", "none", "Log in."))
    result = nybble("doctor")
    assert result.exit_code == 0
    assert "✓ GPU    H200" in result.stdout
    assert "→ Log in." in result.stdout
    nybble("doctor", "--online")
    assert asked == [False, True]


def test_an_error_is_exit_code_1(nybble, found):
    found(Finding("4-bit", "error", "CPU-only", "Run: pip install it"))
    result = nybble("doctor")
    assert result.exit_code == 1
    assert "→ Run: pip install it" in result.stdout
    told = nybble("doctor", "--json")
    assert told.exit_code == 1
    assert json.loads(told.stdout) == {
        "ready": False,
        "checks": [
            {
                "name": "4-bit",
                "status": "error",
                "found": "CPU-only",
                "fix": "Run: pip install it",
            }
        ],
    }
