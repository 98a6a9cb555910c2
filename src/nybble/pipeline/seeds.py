"""The further seeds of a run: which were asked for, and what of them is done.

seeds/asked.json              the seeds after the recipe's own
seeds/seed-N/                 metrics, checkpoints and adapter, as in the run's own folder
seeds/seed-N/evaluation/      its answers, and error.json when they are all there
"""

from nybble.evaluation import seed_spread
from nybble.runs.folder import RunFolder

ASKED = "seeds/asked.json"
ERROR = "evaluation/error.json"
SPREAD = "evaluation/seeds.json"


def ask_for(folder: RunFolder, first: int, count: int) -> None:
    """Write down that the run is to train with `count` seeds from `first` on."""
    if count > 1:
        folder.write(ASKED, {"seeds": list(range(first + 1, first + count))})


def further_seeds(folder: RunFolder) -> list[int]:
    """The seeds that were asked for beside the recipe's own."""
    if not (folder.path / ASKED).is_file():
        return []
    seeds: list[int] = folder.read(ASKED)["seeds"]
    return seeds


def folder_of(folder: RunFolder, seed: int) -> RunFolder:
    """The folder of a further seed, made where it is not there yet."""
    path = folder.path / "seeds" / f"seed-{seed}"
    path.mkdir(parents=True, exist_ok=True)
    return RunFolder(path)


def finished(folder: RunFolder, judged: bool) -> bool:
    """Whether nothing of the run is left to do."""
    seeds = further_seeds(folder)
    if judged:
        return folder.comparison.exists() and (not seeds or (folder.path / SPREAD).is_file())
    return all(one.trained.exists() for one in (folder, *(folder_of(folder, s) for s in seeds)))


def write_spread(folder: RunFolder, first: int) -> str:
    """Write `evaluation/seeds.json`, how much the error depends on the seed; gives it in words."""
    errors = {first: float(folder.read("evaluation/comparison.json")["tuned"]["value"])}
    errors |= {s: folder_of(folder, s).read(ERROR)["mae"] for s in further_seeds(folder)}
    spread = seed_spread(list(errors.values()))
    by_seed = {str(seed): error for seed, error in errors.items()}
    folder.write(SPREAD, {"metric": "mae", "by_seed": by_seed, **spread})
    listed = ", ".join(f"{error:.2f} (seed {seed})" for seed, error in errors.items())
    return (
        f"error {spread['mean']:.2f} on average, standard deviation {spread['sd']:.2f} over "
        f"{len(errors)} seeds: {listed}"
    )
