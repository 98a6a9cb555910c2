"""The further seeds of a run: which were asked for, and what of them is done.

seeds/asked.json              the seeds after the recipe's own
seeds/seed-N/                 metrics, checkpoints and adapter, as in the run's own folder
seeds/seed-N/evaluation/      its answers, and scores.json when they are all there
"""

import numpy as np

from nybble.evaluation.contender import Contender
from nybble.evaluation.seeds import recipe_interval, seed_spread
from nybble.evaluation.statistics import linearised
from nybble.evaluation.verdict import recipe_verdict
from nybble.runs.errors import InputError
from nybble.runs.folder import RunFolder

ASKED = "seeds/asked.json"
SCORES = "evaluation/scores.json"
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


def forget_judged(folder: RunFolder) -> None:
    """Remove what was judged: of an evaluation that is cut off, no part stays beside another's."""
    for path in (folder.path / SPREAD, folder.comparison):
        path.unlink(missing_ok=True)
    for seed in further_seeds(folder):
        (folder_of(folder, seed).path / SCORES).unlink(missing_ok=True)


def write_scores(folder: RunFolder, tuned: Contender, metric: str) -> None:
    """Write `evaluation/scores.json`: what a further seed's model makes of each test row."""
    rows = [one.row for one in tuned.judged]
    folder.write(SCORES, {"metric": metric, "row": rows, "sums": tuned.sums.tolist()})


def write_spread(folder: RunFolder, first: int) -> str:
    """Write `evaluation/seeds.json`, what the seeds say of the recipe; gives it in words.

    Raises `InputError` for a seed that was judged otherwise than the first: of an evaluation that
    was cut off, `resume` goes on by the recipe alone.
    """
    comparison = folder.read("evaluation/comparison.json")
    predictions = folder.read("evaluation/predictions.json")
    scores = {name: np.array(column) for name, column in predictions["scores"].items()}
    weights = np.array(predictions["weights"])
    sums = {first: scores[comparison["tuned_name"]] * weights}
    alike = {"metric": comparison["metric"], "row": predictions["row"]}
    for seed in further_seeds(folder):
        found = folder_of(folder, seed).read(SCORES)
        if any(found[key] != value for key, value in alike.items()):
            raise InputError(
                f"{folder_of(folder, seed).path} was judged by another metric or on other rows "
                "than the first seed.",
                f"Judge all of them anew: `nybble evaluate {folder.path}`.",
            )
        sums[seed] = np.array(found["sums"])
    values = {seed: float(of_seed.sum() / weights.sum()) for seed, of_seed in sums.items()}
    baseline = scores[comparison["baseline_name"]] * weights
    differences_sn = np.stack([linearised(s - baseline, weights) for s in sums.values()])
    spread = {
        "metric": comparison["metric"],
        "by_seed": {str(seed): value for seed, value in values.items()},
        **seed_spread(list(values.values())),
        "baseline_name": comparison["baseline_name"],
        "difference": recipe_interval(differences_sn).as_json(),
    }
    spread["verdict"] = recipe_verdict(spread, comparison["higher_is_better"])
    folder.write(SPREAD, spread)
    return str(spread["verdict"])
