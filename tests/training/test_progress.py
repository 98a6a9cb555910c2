import sys

import pytest

from nybble.training.progress import watch


@pytest.mark.parametrize("name", ["mine [/v2]", "[red]mine[/]"])
def test_a_name_is_shown_as_it_is(name, monkeypatch, capsys) -> None:
    """A model is called by its folder, or as its user wants."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    with watch(name, 2) as bar:
        bar.update(2, "[green]●[/] 1")
    shown = capsys.readouterr().out
    assert name in shown and "●" in shown and "[green]" not in shown
