"""Who watches the training of a run."""

from collections.abc import Sequence

from nybble.pipeline.stage import Stage
from nybble.runs.folder import RunFolder
from nybble.training.watchers import Watcher


def watchers_for(stage: Stage, folder: RunFolder) -> Sequence[Watcher]:
    """The watchers that the recipe of `stage` asks for."""
    return ()
