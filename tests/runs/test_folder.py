import pytest
from hypothesis import given
from hypothesis import strategies as st

from nybble.runs.errors import InputError
from nybble.runs.folder import (
    RunFolder,
    check_output,
    checkpoints_in,
    create_run_folder,
    open_run_folder,
)


def listing(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture
def run(tmp_path):
    return create_run_folder("demo", tmp_path / "run", False, "name: demo\n")


def test_a_run_begins_with_its_recipe(run):
    assert listing(run.path) == ["recipe.yaml"]
    assert run.recipe.read_text() == "name: demo\n"


def test_without_an_output_a_run_is_named_after_its_recipe_and_the_time(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = create_run_folder("price-demo", None, False, "name: price-demo\n")
    assert folder.path.parent.name == "runs"
    assert folder.path.name.startswith("price-demo-2")
    assert (tmp_path / folder.recipe).is_file()


@given(st.sets(st.integers(0, 10**9), min_size=1, max_size=5))
def test_the_newest_checkpoint_has_the_highest_number(tmp_path_factory, steps):
    folder = RunFolder(tmp_path_factory.mktemp("run"))
    for step in steps:
        (folder.checkpoints / f"checkpoint-{step}").mkdir(parents=True)
    assert folder.newest_checkpoint() == folder.checkpoints / f"checkpoint-{max(steps)}"


def test_checkpoint_10_is_newer_than_checkpoint_2(run):
    for step in (10, 2):
        (run.checkpoints / f"checkpoint-{step}").mkdir(parents=True)
    assert run.newest_checkpoint().name == "checkpoint-10"


def test_parts_and_strangers_are_no_checkpoints(run):
    for name in (".partial-checkpoint-9-x", "checkpoint-9-old", "checkpoint-", "checkpoint-1"):
        (run.checkpoints / name).mkdir(parents=True)
    assert run.newest_checkpoint().name == "checkpoint-1"


def test_a_run_without_checkpoints_has_no_newest_one(run):
    assert run.newest_checkpoint() is None


def test_values_are_read_as_they_were_written(run):
    run.write("data/audit.json", {"rows": {"train": 3}})
    assert run.read("data/audit.json") == {"rows": {"train": 3}}


def test_a_value_that_is_not_there_is_named(run):
    with pytest.raises(InputError, match=r"has no plan\.json"):
        run.read("plan.json")


def test_a_run_with_nothing_to_go_on_from_is_discarded(run):
    run.write("plan.json", {})
    run.discard_if_empty_handed()
    assert not run.path.exists()


@pytest.mark.parametrize("kept", ["adapter", "checkpoints/checkpoint-5"])
def test_a_run_with_a_checkpoint_or_an_adapter_is_kept(run, kept):
    (run.path / kept).mkdir(parents=True)
    run.discard_if_empty_handed()
    assert (run.path / kept).is_dir()


def test_a_free_output_is_taken_and_nothing_is_written(tmp_path):
    check_output(None, False)
    check_output(tmp_path / "new" / "run", False)
    check_output(tmp_path / "new" / "run", True)
    assert listing(tmp_path) == []


def test_an_existing_output_is_refused(run):
    with pytest.raises(InputError, match="exists already") as caught:
        check_output(run.path, False)
    assert "--replace" in caught.value.fix
    with pytest.raises(InputError, match="exists already"):
        create_run_folder("demo", run.path, False, "other")
    assert run.recipe.read_text() == "name: demo\n"


def test_an_earlier_run_is_replaced_whole_when_that_is_asked(run):
    run.write("plan.json", {})
    create_run_folder("demo", run.path, True, "name: again\n")
    assert listing(run.path) == ["recipe.yaml"]
    assert run.recipe.read_text() == "name: again\n"


def test_a_link_to_a_run_is_replaced_where_it_leads(run, tmp_path):
    """As a folder on another disk, or one that is mounted, which cannot be removed itself."""
    (run.path / "adapter").mkdir()
    link = tmp_path / "link"
    link.symlink_to(run.path)
    before = run.path.stat().st_ino
    assert create_run_folder("x", link, True, "name: x\n").recipe.read_text() == "name: x\n"
    assert listing(run.path) == ["recipe.yaml"]
    assert link.is_symlink() and run.path.stat().st_ino == before


def test_an_empty_folder_can_be_replaced(tmp_path):
    check_output(tmp_path, True)


def test_only_the_folder_of_a_run_is_replaced(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    (tmp_path / "recipe.yaml").mkdir()
    for path in (tmp_path, tmp_path / "thesis.txt"):
        with pytest.raises(InputError, match="not the folder of a run"):
            check_output(path, True)
        with pytest.raises(InputError, match="not the folder of a run"):
            create_run_folder("demo", path, True, "name: demo\n")
    assert listing(tmp_path) == ["recipe.yaml", "thesis.txt"]


@pytest.mark.parametrize("replace", [False, True])
def test_an_output_below_a_file_is_refused_before_any_work(tmp_path, replace):
    (tmp_path / "notes").write_text("a file")
    with pytest.raises(InputError, match="notes is a file"):
        check_output(tmp_path / "notes" / "run", replace)


def test_the_folder_of_a_run_is_opened(run):
    assert open_run_folder(run.path) == run


def test_a_folder_that_no_run_left_is_not_opened(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(InputError, match=r"no recipe\.yaml"):
            open_run_folder(path)


def test_two_runs_of_one_second_have_a_folder_each(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folders = [create_run_folder("demo", None, False, f"name: run{n}\n") for n in range(3)]
    assert len({folder.path for folder in folders}) == 3
    assert [f.recipe.read_text() for f in folders] == [f"name: run{n}\n" for n in range(3)]


def test_a_file_called_runs_is_told_before_any_work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(InputError, match="runs is a file"):
        check_output(None, False)


def test_checkpoints_are_in_the_order_of_their_steps_and_strangers_are_none(run):
    for name in ("checkpoint-10", "checkpoint-9-old", "checkpoint-2", ".partial-checkpoint-11-x"):
        (run.checkpoints / name).mkdir(parents=True)
    assert [path.name for path in checkpoints_in(run.checkpoints)] == [
        "checkpoint-2",
        "checkpoint-10",
    ]


def test_the_way_on_names_what_is_left(run):
    assert "nothing is left" in run.way_on()
    (run.checkpoints / "checkpoint-5").mkdir(parents=True)
    assert f"`nybble resume {run.path}` goes on from step 5" in run.way_on()
    run.adapter.mkdir()
    assert "goes on from the trained adapter" in run.way_on()
