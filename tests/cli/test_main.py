import errno
import json
import os
import subprocess
import sys

import pytest

from nybble.cli import run as run_verb
from nybble.runs.errors import InputError, NybbleError

VERBS = (
    "run",
    "train",
    "resume",
    "evaluate",
    "report",
    "generate",
    "chat",
    "merge",
    "push",
    "fetch",
    "verify",
    "inspect",
    "data",
    "recipes",
    "doctor",
)
DATA_VERBS = ("prepare", "show", "stats", "push")


def test_help_lists_every_verb(nybble):
    result = nybble("--help")
    assert result.exit_code == 0
    assert [verb for verb in VERBS if f" {verb} " not in result.stdout] == []


@pytest.mark.parametrize("verb", [*((v,) for v in VERBS), *(("data", v) for v in DATA_VERBS)])
def test_every_verb_has_help_with_an_example(nybble, verb):
    result = nybble(*verb, "--help")
    assert result.exit_code == 0
    assert verb == ("data",) or f"Example: nybble {' '.join(verb)}" in result.stdout


@pytest.mark.parametrize("place", [0, 1, 2])
def test_debug_shows_the_traceback_wherever_it_stands(nybble, place):
    arguments = ["run", "nowhere.yaml"]
    arguments.insert(place, "--debug")
    error = nybble(*arguments).exception
    assert isinstance(error, InputError)
    assert error.__traceback__ is not None


@pytest.mark.parametrize(("kind", "code"), [(NybbleError, 1), (InputError, 2)])
def test_the_exit_code_tells_failed_work_from_wrong_input(nybble, monkeypatch, kind, code):
    def fail(*_arguments):
        raise kind("It went wrong.", "Mend it.")

    monkeypatch.setattr(run_verb, "load_recipe", fail)
    result = nybble("run", "price-demo")
    assert (result.exit_code, result.stderr) == (code, "It went wrong.\nMend it.\n")


def test_an_interrupt_is_told_with_the_way_on(nybble, monkeypatch):
    def interrupt(*_arguments):
        raise KeyboardInterrupt("`nybble resume runs/a` goes on from step 5.")

    monkeypatch.setattr(run_verb, "load_recipe", interrupt)
    result = nybble("run", "price-demo")
    assert result.exit_code == 130
    assert "nybble resume" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES])
def test_errors_of_the_disk_are_two_lines(nybble, monkeypatch, number):
    def fail(*_arguments):
        raise OSError(number, os.strerror(number), "runs/demo/plan.json")

    monkeypatch.setattr(run_verb, "load_recipe", fail)
    result = nybble("run", "price-demo")
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 2
    assert "runs/demo/plan.json" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message", "fix"),
    [
        (["runn"], "No such command 'runn'. Did you mean 'run'?", "`nybble --help`"),
        (["run"], "Missing argument", "`nybble run --help`"),
        (["run", "price-demo", "--outptu", "x"], "No such option: --outptu", "nybble run"),
        (["run", "price-demo", "--seeds", "0"], "'--seeds'", "`nybble run --help`"),
        (["data", "prep"], "No such command 'prep'", "`nybble data --help`"),
        (["resume", "a", "b"], "unexpected extra argument", "`nybble resume --help`"),
    ],
)
def test_a_command_that_is_misspelled_is_two_lines(refused, arguments, message, fix):
    told = refused(*arguments)
    assert message in told.message and fix in told.fix


def test_no_arguments_at_all_show_the_help(nybble):
    assert "price-demo" in nybble().output
    assert "prepare" in nybble("data").output


def test_a_gpu_that_runs_out_of_memory_is_two_lines(nybble, monkeypatch):
    class OutOfMemoryError(RuntimeError):
        """Called as torch's is, which takes seconds to import."""

    def fail(*_arguments):
        raise OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has ...")

    monkeypatch.setattr(run_verb, "load_recipe", fail)
    result = nybble("run", "price-demo")
    assert result.exit_code == 1
    message, fix = result.stderr.splitlines()
    assert message == "The GPU is out of memory: 2.00 GiB more were asked for."
    assert "data.max_length" in fix


def test_an_error_that_nobody_expected_keeps_its_traceback(nybble, monkeypatch):
    def fail(*_arguments):
        raise ZeroDivisionError

    monkeypatch.setattr(run_verb, "load_recipe", fail)
    assert isinstance(nybble("run", "price-demo").exception, ZeroDivisionError)


def test_a_secret_in_an_error_is_masked(refused):
    secret = "hf_" + "a1B2" * 8
    assert secret not in refused("run", secret).message
    assert secret not in refused("run", "price-demo", f"data.token={secret}").message


LIGHT = """
import sys
from typer.testing import CliRunner
from nybble.cli.main import app

def call(code, *arguments):
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == code, (arguments, result.output, result.exception)
    return result

import nybble
import nybble.mini.catalogue
call(0, "--help")
for verb in ("run", "evaluate", "report", "generate", "chat", "merge", "push", "verify", "inspect",
             "doctor", "recipes"):
    call(0, verb, "--help")
call(0, "recipes")
call(0, "inspect", "bundled:mini")
call(0, "verify", "bundled:mini")
call(2, "generate", "nosuch", "x")
call(2, "chat", "nosuch")
call(0, "recipes", "--json")
assert "bundled:mini" in call(0, "recipes", "price-demo").stdout
for verb in (["run"], ["train"], ["fetch"], *(["data", v] for v in ("prepare", "show", "stats"))):
    call(2, *verb, "nosuch")
    call(2, *verb, "nowhere.yaml")
    call(2, *verb, "list.yaml")
    call(2, *verb, "price-demo", "lora.rr=3")
    call(2, *verb, "price-demo", "lora.r=0")
    call(2, *verb, "price-demo", "lora.r")
for verb in ("run", "train"):
    call(2, verb, "price-demo", "--output", ".")
    call(2, verb, "price-demo", "--output", ".", "--replace")
call(2, "data", "prepare", "price-demo", "--output", ".")
call(2, "resume", ".")
call(2, "merge", ".")
call(2, "report", ".")
call(2, "push", ".", "--to", "me/x")
call(2, "inspect", "price-dem")
call(2, "verify", "./nowhere")
call(2, "doctor", "--what")
call(2, "evaluate", ".")
heavy = {"torch", "transformers", "peft", "bitsandbytes", "datasets", "accelerate", "sklearn"}
print(sorted(heavy & set(sys.modules)))
"""


def test_help_recipes_and_refusals_of_recipes_import_nothing_heavy(work):
    (work / "list.yaml").write_text("- a")
    done = subprocess.run(
        [sys.executable, "-c", LIGHT], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[]\n"


def test_the_installed_command_refuses_in_two_lines_and_debugs_on_demand(work):
    command = [sys.executable, "-m", "nybble", "run", "nowhere.yaml"]
    plain = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert plain.returncode == 2
    assert plain.stdout == ""
    assert len(plain.stderr.splitlines()) == 2
    debug = subprocess.run(
        [*command, "--debug"], capture_output=True, text=True, check=False, timeout=60
    )
    assert debug.returncode != 0
    assert "Traceback" in debug.stderr
    assert "nowhere.yaml" in debug.stderr
    assert list(work.iterdir()) == []


def test_recipes_as_json_are_json(nybble):
    summaries = json.loads(nybble("recipes", "--json").stdout)
    assert "price-demo" in summaries
    assert json.loads(nybble("recipes", "price-demo", "--json").stdout)["name"] == "price-demo"
