"""Where each tracker keeps a training, and how a resumed one goes on in the same place.

tracking/tensorboard/    event files; a resumed training adds one, and hides what it repeats
tracking/wandb/          the run of Weights & Biases, sent or, offline, to be sent by `wandb sync`
tracking/wandb.json      its id
tracking/mlflow.json     the id of MLflow's run, and the SQLite file, where it is one

all in the run folder. Trackio has a folder of its own and finds runs by their name.
"""

import netrc
import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlparse

from nybble.runs.folder import RunFolder
from nybble.training.trackers import MakeTracker, Tracker


@dataclass(frozen=True)
class TrackerRuns:
    """Opens the trackers of the training in `folder`, as run `name` of `project`."""

    folder: RunFolder
    project: str
    name: str

    def maker(self, tracker: str) -> MakeTracker:
        """What opens `tracker`, given the step that a training begins at: 0 for a new one."""
        makers: dict[str, MakeTracker] = {
            "tensorboard": self._tensorboard,
            "wandb": self._wandb,
            "mlflow": self._mlflow,
            "trackio": self._trackio,
        }
        return makers[tracker]

    @property
    def _home(self) -> Path:
        home = self.folder.path / "tracking"
        home.mkdir(exist_ok=True)
        return home

    def _tensorboard(self, first_step: int) -> Tracker:
        tracking = _accelerate_tracking()
        made = tracking.TensorBoardTracker("tensorboard", self._home, purge_step=first_step + 1)
        return cast(Tracker, made)

    def _wandb(self, first_step: int) -> Tracker:
        tracking = _accelerate_tracking()
        import wandb

        mode = os.environ.get("WANDB_MODE")
        if mode is None and not _wandb_knows_user():
            mode = "offline"
            print("wandb      nobody is logged in (wandb login): the run is kept on this machine")
        run_id = self._remembered("wandb").get("id") if first_step else None
        if run_id is None:
            run_id = uuid.uuid4().hex[:8]
            self.folder.write("tracking/wandb.json", {"id": run_id})
        # What the terminal showed, the command line and the code are nobody's business.
        settings = wandb.Settings(
            console="off", disable_code=True, disable_git=True, x_disable_meta=True, silent=True
        )
        made = tracking.WandBTracker(
            self.project, name=self.name, id=run_id, resume="allow", mode=mode,
            dir=str(self._home), settings=settings,
        )  # fmt: skip
        return cast(Tracker, made)

    def _mlflow(self, first_step: int) -> Tracker:
        tracking = _accelerate_tracking()
        import mlflow

        before = self._remembered("mlflow") if first_step else {}
        # The database that `mlflow ui` reads in this folder, unless a server is named.
        local = before.get("database") or str(Path("mlflow.db").absolute())
        if not os.environ.get("MLFLOW_TRACKING_URI"):
            mlflow.set_tracking_uri(f"sqlite:///{local}")
        made = tracking.MLflowTracker(
            experiment_name=self.project, run_id=before.get("run_id"), run_name=self.name
        )
        return _RememberingMlflow(made, self.folder, local)

    def _trackio(self, first_step: int) -> Tracker:
        tracking = _accelerate_tracking()
        resume = "allow" if first_step else "never"
        return cast(
            Tracker,
            tracking.TrackioTracker(self.project, name=self.name, resume=resume, embed=False),
        )

    def _remembered(self, tracker: str) -> dict[str, Any]:
        """What an earlier part of this training wrote down about its run."""
        name = f"tracking/{tracker}.json"
        return dict(self.folder.read(name)) if (self.folder.path / name).is_file() else {}


class _RememberingMlflow:
    """MLflow chooses the id of a run when it starts: it is written down then."""

    def __init__(self, tracker: Any, folder: RunFolder, database: str) -> None:
        self.tracker = tracker
        self.folder = folder
        self.database = database
        self.store_init_configuration = tracker.store_init_configuration
        self.log = tracker.log
        self.finish = tracker.finish

    def start(self) -> None:
        self.tracker.start()
        run_id = self.tracker.tracker.info.run_id
        self.folder.write("tracking/mlflow.json", {"run_id": run_id, "database": self.database})


def _accelerate_tracking() -> Any:
    """Accelerate's trackers; its own log, which they write to, needs its state to be there."""
    from accelerate import PartialState, tracking

    PartialState()
    return tracking


def _wandb_knows_user() -> bool:
    """Whether a key is set or was stored by `wandb login`; wandb itself would ask for one."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    for name in (os.environ.get("NETRC"), "~/.netrc", "~/_netrc"):
        if name and (path := Path(name).expanduser()).is_file():
            try:
                return netrc.netrc(path).authenticators(host) is not None
            except (netrc.NetrcParseError, OSError):
                return False
    return False
