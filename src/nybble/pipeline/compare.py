"""`nybble compare`: any number of models side by side on the same test rows, paired.

Whatever can be refused is refused before torch is imported.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from nybble.data.examples import Example
from nybble.evaluation.comparison import compare
from nybble.evaluation.contender import Contender
from nybble.evaluation.slices import slicings
from nybble.evaluation.task import Item, Task
from nybble.evaluation.verdict import verdict
from nybble.generation.cache import PredictionCache
from nybble.pipeline.contenders import Guesser, Local, Named, People, Remote, read_named
from nybble.pipeline.judged_files import count_test_read, side_by_side
from nybble.pipeline.people import PeoplesAnswers, read_people, rows_answered
from nybble.pipeline.references import FLOOR, references
from nybble.pipeline.same_rows import check_fingerprint, check_same_split, own_recipe
from nybble.pipeline.stage import Stage, asking_stage, judged, make_stage
from nybble.pipeline.truths import items_of
from nybble.recipe import Recipe
from nybble.report.terminal import print_comparison
from nybble.runs.atomic import write_json
from nybble.runs.errors import InputError
from nybble.runs.folder import RUNS, check_not_below_file
from nybble.runs.lock import check_not_locked

ALL = "all"
ANSWERS = "answers.jsonl"


@dataclass(frozen=True)
class Wanted:
    """What is to be compared: `models` on the test rows of `data`, or of the first run's recipe."""

    models: Sequence[str]
    data: Recipe | None = None
    rows: int | None = None
    slices: Sequence[str] = ()
    few_shot: int | None = None
    output: Path | None = None


@dataclass(frozen=True)
class _Rows:
    """The test rows that all are compared on, in the form of the recipe that names them."""

    stage: Stage
    examples: list[Example]
    items: list[Item]

    @property
    def task(self) -> Task:
        assert self.stage.task is not None
        return self.stage.task


def compare_models(wanted: Wanted) -> tuple[dict[str, Any], Path]:
    """Compare, and write comparison.json, predictions.json and report.html into a folder of their
    own, `wanted.output` or runs/compare-TIME; gives the first, and the folder.

    Every run whose own test rows are read counts that in its folder. An interrupted comparison goes
    on from the answers that it has.
    """
    folder = _output(wanted.output)
    named, recipe = read_named(wanted.models, wanted.data)
    recipe = _with_options(recipe, wanted)
    locals_ = [one for one in named if isinstance(one, Local)]
    notes = check_same_split(locals_, recipe, wanted.data is not None)
    people = {one.name: read_people(one.path) for one in named if isinstance(one, People)}
    _check_each(named, recipe)
    rows = _rows(make_stage(recipe), people, notes)
    runs = [one for one in locals_ if one.run] if wanted.data is None else []
    for one in runs:
        # Of another tokenizer or form, the same rows have another fingerprint.
        if one.run and _asks_alike(own_recipe(one.run), recipe):
            check_fingerprint(one, rows.stage.prepared.fingerprint)
    for line in notes:
        print(line)
    contenders = _contenders(named, rows, people, _cache(runs, folder))
    found = compare(
        rows.task, contenders, recipe.train.seed,
        slicings(rows.items, recipe.evaluate.slices, rows.task.name),
    )  # fmt: skip
    floor = FLOOR if any(one.name == FLOOR for one in contenders) else None
    found |= {"rows_of": recipe.name, "notes": notes, "floor_name": floor}
    found["verdict"] = verdict(found)
    if runs:
        read = {one.run.path.resolve(): one.run for one in runs if one.run}
        found["test_reads"] = max(map(count_test_read, read.values()))
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "predictions.json", side_by_side(rows.items, contenders, recipe.evaluate))
    write_json(folder / "comparison.json", found)
    print_comparison(found)
    return found, folder


def _output(output: Path | None) -> Path:
    """The folder to write into. Raises `InputError` for one that holds something else."""
    folder = output or RUNS / f"compare-{datetime.now():%Y%m%d-%H%M%S}"
    check_not_below_file(folder)
    if folder.exists() and (not folder.is_dir() or {p.name for p in folder.iterdir()} - {ANSWERS}):
        raise InputError(
            f"The output folder {folder} exists already.", "Choose another with --output DIR."
        )
    return folder


def _cache(runs: Sequence[Local], folder: Path) -> PredictionCache:
    """Where answers are kept: with the first run, which may have asked already."""
    if runs and runs[0].run:
        return PredictionCache(runs[0].run.evaluation / ANSWERS)
    return PredictionCache(folder / ANSWERS)


def _with_options(recipe: Recipe, wanted: Wanted) -> Recipe:
    """`recipe` judged as the command line says."""
    part = recipe.evaluate
    if not judged(recipe):
        raise InputError(
            f"The recipe {recipe.name} has no evaluate.task, or evaluate.size=0.",
            "Name rows that are judged: --data RECIPE, with evaluate.task=number or another.",
        )
    changes = {
        "size": part.size if wanted.rows is None else wanted.rows,
        "few_shot": part.few_shot if wanted.few_shot is None else wanted.few_shot,
        "slices": list(dict.fromkeys([*part.slices, *wanted.slices])),
    }
    return recipe.model_copy(update={"evaluate": part.model_copy(update=changes)})


def _check_each(named: Sequence[Named], recipe: Recipe) -> None:
    """Refuse runs that another process works in, and what cannot be asked for losses."""
    for one in named:
        if isinstance(one, Local) and one.run:
            check_not_locked(one.run.path)
        elif isinstance(one, Remote | People) and recipe.evaluate.task == "loss":
            raise InputError(
                f"{one.name} tells no likelihoods, which the task loss compares.",
                "Leave it out, or compare by another task.",
            )


def _rows(stage: Stage, people: Mapping[str, PeoplesAnswers], notes: list[str]) -> _Rows:
    part = stage.recipe.evaluate
    examples, told = rows_answered(stage.prepared.splits.test[: part.size], people)
    notes += told
    return _Rows(stage, examples, items_of(examples, part, stage.recipe.data.train_name))


def _contenders(
    named: Sequence[Named],
    rows: _Rows,
    people: Mapping[str, PeoplesAnswers],
    cache: PredictionCache,
) -> list[Contender]:
    """All models' judged answers, in the order in which they were named."""
    found: dict[str, Contender] = {}
    guesses = _guesses([one for one in named if isinstance(one, Guesser)], rows)
    for name, answers in people.items():
        said = [(answers[item.row],) for item in rows.items]
        found[name] = Contender(name, "people", rows.task.plain().judge(rows.items, said))
    locals_ = [one for one in named if isinstance(one, Local)]
    remotes = [one for one in named if isinstance(one, Remote)]
    if locals_ or remotes:
        found |= _models(locals_, remotes, rows, cache)
    ordered: list[Contender] = []
    for one in named:
        ordered += guesses[one.name] if isinstance(one, Guesser) else [found[one.name]]
    return ordered


def _models(
    locals_: Sequence[Local], remotes: Sequence[Remote], rows: _Rows, cache: PredictionCache
) -> dict[str, Contender]:
    forms = [_form(one, rows) for one in locals_]
    from nybble.pipeline.asking_models import ToAsk, ask_locals, ask_remote, check_remotes

    check_remotes(remotes, rows.stage, rows.examples)
    to_ask = [ToAsk(one, *form) for one, form in zip(locals_, forms, strict=True)]
    found = ask_locals(to_ask, cache)
    for remote in remotes:
        answers, dollars = ask_remote(remote, rows.stage, rows.examples, cache)
        judged_answers = rows.task.judge(rows.items, answers)
        found[remote.name] = Contender(remote.name, "remote", judged_answers, dollars)
    return found


def _form(one: Local, rows: _Rows) -> tuple[Stage, list[Example]]:
    """How `one` is asked, and the rows in that form. Raises `InputError` where its recipe gives
    other rows under the same numbers, or other true answers."""
    own = one.recipe.model_copy(update={"evaluate": rows.stage.recipe.evaluate})
    if _asks_alike(own, rows.stage.recipe):
        return rows.stage, rows.examples
    stage = asking_stage(own, rows.task)
    by_number = {example.number: example for example in stage.prepared.splits.test}
    missing = [item.row for item in rows.items if item.row not in by_number]
    if missing:
        raise InputError(
            f"{one.name}: its recipe has no test row {missing[0]}.",
            "Name rows for all of them with --data RECIPE.",
        )
    examples = [by_number[item.row] for item in rows.items]
    items = items_of(examples, own.evaluate, own.data.train_name)
    for theirs, item in zip(items, rows.items, strict=True):
        if theirs.truth != item.truth:
            raise InputError(
                f"{one.name}: test row {item.row} is to be answered with {theirs.truth!r} by its "
                f"recipe, and with {item.truth!r} by {rows.stage.recipe.name}.",
                "Name rows for all of them with --data RECIPE.",
            )
    return stage, examples


def _asks_alike(own: Recipe, rows: Recipe) -> bool:
    """Whether the two recipes make the same tokens of a row."""
    fields = ("base", "revision", "trust_remote_code", "new_tokens")
    same_model = all(getattr(own.model, name) == getattr(rows.model, name) for name in fields)
    return same_model and own.data == rows.data


def _guesses(guessers: Sequence[Guesser], rows: _Rows) -> dict[str, list[Contender]]:
    """The contenders that each of `guessers` stands for."""
    if not guessers:
        return {}
    known = references(rows.stage, rows.examples)
    if not known:
        raise InputError(
            f"There are no references for the task {rows.task.name}.", "Leave them out."
        )

    def contender(name: str, which: str) -> Contender:
        if which not in known:
            raise InputError(
                f"There is no reference {which!r} for the task {rows.task.name}.",
                f"Known: {', '.join(known)}, and all.",
            )
        return Contender(name, "reference", rows.task.plain().judge(rows.items, known[which]))

    return {
        one.name: [contender(name, name) for name in known]
        if one.which == ALL
        else [contender(one.name, one.which)]
        for one in guessers
    }
