"""A run that is pushed to the Hub while it trains, and when it ends.

A thread of its own pushes, one save after the other. When saves come faster than they go up, or
the Hub is away for a while, what waits is replaced by what is newer. Nothing that goes wrong here
reaches the training: it is told in a line and tried again, later and later.
"""

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from nybble.export.published import RUN, list_files, stage_run
from nybble.export.push import PushRefusedError, push_token, upload_folder
from nybble.recipe import Recipe
from nybble.runs.atomic import PARTIAL_PREFIX
from nybble.runs.errors import NybbleError
from nybble.runs.folder import RunFolder
from nybble.runs.secrets import masked

FIRST_SECONDS = 2.0
MOST_SECONDS = 120.0
LAST_TRIES = 6
# A pre-empted process has some ten seconds to go.
GRACE_SECONDS = 5.0

# Commits come in their order: the end waits until the push of a save is through.
_one_push = threading.Lock()


def check_publish(recipe: Recipe) -> None:
    """Raise `InputError` where the recipe asks to publish and there is no token to do it with."""
    if recipe.publish.hub:
        push_token()


class Publisher:
    """A watcher of the training that pushes every save of `folder`, in the background."""

    def __init__(self, folder: RunFolder, recipe: Recipe) -> None:
        self.folder = folder
        self.recipe = recipe
        self.name = recipe.publish.hub or ""
        self._waiting: tuple[int, Path] | None = None
        self._busy = self._over = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="publish", daemon=True)

    def begin(self, total_steps: int, first_step: int) -> None:
        print(f"publish    every save goes to {self.name} on the Hub")
        self._thread.start()

    def record(self, values: Mapping[str, float | int | str]) -> None:
        pass

    def saved(self, step: int, checkpoint: Path) -> None:
        """Take hold of the checkpoint's files and have them pushed; what waited is dropped."""
        scratch = _scratch(self.folder)
        try:
            stage_run(self.folder, self.recipe, self.name, scratch, checkpoint)
        except (NybbleError, OSError) as error:
            _told(f"step {step:,} is not pushed: {_line(error)}")
            shutil.rmtree(scratch, ignore_errors=True)
            return
        with self._changed:
            self._drop()
            self._waiting = (step, scratch)
            self._changed.notify_all()

    def end(self) -> None:
        """Let the last save go up, for a few seconds; what is left then is dropped."""
        with self._changed:
            idle = self._changed.wait_for(
                lambda: not self._busy and self._waiting is None, GRACE_SECONDS
            )
            self._over = True
            self._drop()
            self._changed.notify_all()
        if idle and self._thread.ident is not None:
            self._thread.join()

    def _drop(self) -> None:
        if self._waiting:
            shutil.rmtree(self._waiting[1], ignore_errors=True)
            self._waiting = None

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._over or self._waiting is not None)
                if self._waiting is None:
                    return
                (step, scratch), self._waiting = self._waiting, None
                self._busy = True
            try:
                self._push(step, scratch)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
                with self._changed:
                    self._busy = False
                    self._changed.notify_all()

    def _push(self, step: int, scratch: Path) -> None:
        """Try until it is pushed, refused, or there is a newer save, or no more training."""
        for pause in _pauses():
            try:
                with _one_push:
                    _upload(scratch, self.recipe, f"Step {step} of {self.recipe.name}")
            except Exception as error:  # whatever it is, the training goes on
                again = not isinstance(error, PushRefusedError)
                then = f"again in {pause:.0f} s" if again else "the next save is tried again"
                _told(f"step {step:,} is not pushed, {then}: {_line(error)}")
            else:
                _told(f"step {step:,} is on the Hub: {self.name}")
                return
            with self._changed:
                newer = self._changed.wait_for(
                    lambda: self._over or self._waiting is not None, pause if again else 0
                )
            if newer or not again:
                return


def publish_end(folder: RunFolder, recipe: Recipe) -> None:
    """Push the finished adapter with its card, where the recipe asks for it, and wait for that.

    A push that fails in the end is told in a line: the run itself is whole on the disk.
    """
    name = recipe.publish.hub
    if not name or not folder.trained.exists():
        return
    for attempt, pause in enumerate(_pauses(), 1):
        try:
            _told(_push_end(folder, recipe, name))
            return
        except Exception as error:
            last = isinstance(error, PushRefusedError) or attempt == LAST_TRIES
            _told(f"not pushed{'' if last else f', again in {pause:.0f} s'}: {_line(error)}")
        if last:
            _told(f"`nybble push {folder.path} --to {name}` pushes it later")
            return
        time.sleep(pause)


def _push_end(folder: RunFolder, recipe: Recipe, name: str) -> str:
    scratch = _scratch(folder)
    try:
        stage_run(folder, recipe, name, scratch, None)
        with _one_push:
            title = f"{folder.trained.name.capitalize()} of {recipe.name}"
            return _upload(scratch, recipe, title)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _upload(scratch: Path, recipe: Recipe, title: str) -> str:
    """One commit: `scratch`, and what of an earlier save is not in it is gone."""
    list_files(scratch)
    part = recipe.publish
    return upload_folder(
        scratch, part.hub or "", "model", part.private, "main", title, replaced=f"{RUN}/*"
    )


def _scratch(folder: RunFolder) -> Path:
    """A folder on the run's own disk, so that files can be linked; swept when a kill leaves it."""
    return Path(tempfile.mkdtemp(prefix=f"{PARTIAL_PREFIX}{os.getpid()}-publish-", dir=folder.path))


def _pauses() -> Iterator[float]:
    seconds = FIRST_SECONDS
    while True:
        yield seconds
        seconds = min(MOST_SECONDS, 2 * seconds)


def _told(text: str) -> None:
    print(f"publish    {text}", flush=True)


def _line(error: Exception) -> str:
    """What went wrong, masked; and what to do, where trying again does not mend it."""
    lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return masked(" ".join(lines[: 2 if isinstance(error, PushRefusedError) else 1]))
