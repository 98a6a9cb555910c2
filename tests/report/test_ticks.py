from nybble.report.ticks import print_health, print_verdict, tick_lines

SECRET = "hf_" + "a1B2" * 8


def test_marks_names_and_findings_are_aligned():
    drawn = tick_lines(
        [
            ("ok", "a", "well", ""),
            ("note", "long name", "so so", "Do this."),
            ("error", "b", "bad", ""),
        ]
    )
    assert [line.plain for line in drawn] == [
        "✓ a          well",
        "• long name  so so",
        "             → Do this.",
        "✗ b          bad",
    ]


def test_nothing_to_say():
    assert tick_lines([]) == []


def test_markup_in_a_name_is_text():
    assert tick_lines([("ok", "[red]a[/]", "[b]", "")])[0].plain == "✓ [red]a[/]  [b]"


def test_a_secret_is_masked():
    (line, fix) = tick_lines([("error", "token", SECRET, f"revoke {SECRET}")])
    assert SECRET not in line.plain + fix.plain


def test_a_verdict_says_what_to_do_only_when_something_is_wrong(capsys):
    files = [
        {"file": "config.json", "status": "ok", "found": "llama"},
        {"file": "generation_config.json", "status": "note", "found": "not there"},
    ]
    verdict = {"folder": "here", "kind": "model", "whole": True, "files": files, "fixes": []}
    print_verdict(verdict)
    assert "The model in here is whole." in capsys.readouterr().out
    files.append({"file": "x.safetensors", "status": "error", "found": "missing"})
    print_verdict(verdict | {"whole": False, "fixes": ["Copy it again."]})
    out = capsys.readouterr().out
    assert "✗ x.safetensors" in out
    assert "Not whole: 1 of 2 files missing or broken.\nCopy it again.\n" in out


def test_a_long_path_stays_on_its_line(capsys):
    path = "/".join(["folder"] * 40)
    check = {"name": "disk", "status": "ok", "found": path, "fix": ""}
    print_health({"ready": True, "checks": [check]})
    assert capsys.readouterr().out == f"✓ disk  {path}\nReady to train.\n"
