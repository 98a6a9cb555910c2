"""A run that was published goes on here: from the Hub into a run folder of its own."""

import shutil
from pathlib import Path

from nybble.export.published import RUN, check_published
from nybble.recipe import load_recipe
from nybble.runs.errors import InputError
from nybble.runs.folder import RunFolder, create_run_folder, open_run_folder
from nybble.sources import parse_reference
from nybble.sources.snapshot import snapshot

_HUB = "hub:"


def run_here(run: Path) -> RunFolder:
    """The folder of `run`: itself, or, where it is spelled hub:OWNER/NAME, fetched into a new one.

    Raises `InputError` when it is no run, or cannot be fetched whole.
    """
    text = str(run)
    return fetch_run(text) if text.startswith(_HUB) else open_run_folder(run)


def fetch_run(reference: str, output: Path | None = None) -> RunFolder:
    """Download the newest published save of `reference`, or that of its @revision, verified.

    The folder is `output`, or runs/NAME-TIME. Nothing is left of one that does not come whole.
    Raises `InputError` when it is not there, not a run, finished, or not as it was pushed; and,
    with the folder left in place, when its recipe would run the model's own Python code, or publish
    to another repository.
    """
    parsed = parse_reference(reference)
    at = parsed.revision_or("main")
    published = snapshot(parsed.name, at, "model", (f"{RUN}/*",)) / RUN
    files = check_published(published, reference)
    recipe = load_recipe(str(published / "recipe.yaml"))
    text = (published / "recipe.yaml").read_text(encoding="utf-8")
    folder = create_run_folder(recipe.name, output, False, text)
    try:
        for file in files:
            target = folder.path / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(published / file, target)
    except BaseException:
        shutil.rmtree(folder.path, ignore_errors=True)
        raise
    print(f"fetched    {reference} into {folder.path}")
    if recipe.publish.hub not in (None, parsed.name):
        raise InputError(
            f"The recipe of {reference} publishes to {recipe.publish.hub}, another repository.",
            f"If that is meant, `nybble resume {folder.path}` goes on; else change publish.hub.",
        )
    if recipe.model.trust_remote_code:
        raise InputError(
            f"The recipe of {reference} runs Python code that its model ships.",
            f"Read both; if you trust them, `nybble resume {folder.path}` goes on.",
        )
    return folder
