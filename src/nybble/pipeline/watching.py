"""Who watches the training of a run."""

from collections.abc import Sequence

from nybble.export.publish import Publisher
from nybble.pipeline.stage import Stage
from nybble.runs.folder import RunFolder
from nybble.training.watchers import Watcher


def watchers_for(stage: Stage, folder: RunFolder) -> Sequence[Watcher]:
    """The watchers that the recipe of `stage` asks for."""
    return (*publishers(stage, folder),)


def publishers(stage: Stage, folder: RunFolder) -> Sequence[Watcher]:
    """Who pushes every save. Further seeds, whose folders hold no recipe, are not published."""
    part = stage.recipe.publish
    wanted = part.hub and part.every_save and folder.recipe.is_file()
    return (Publisher(folder, stage.recipe),) if wanted else ()
