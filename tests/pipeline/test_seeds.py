import pytest

from nybble.evaluation.contender import Contender
from nybble.evaluation.task import Judged
from nybble.pipeline.seeds import ask_for, folder_of, write_scores, write_spread
from nybble.runs.errors import InputError
from nybble.runs.folder import RunFolder


def tuned(*scores: float, first_row: int = 1) -> Contender:
    judged = [Judged(row, "p", "a", 1.0, 1.0, s) for row, s in enumerate(scores, first_row)]
    return Contender("tuned model", "tuned", judged)


@pytest.fixture
def run(tmp_path) -> RunFolder:
    """Two seeds were asked for; the first is judged on three rows, by mae."""
    folder = RunFolder(tmp_path)
    ask_for(folder, 42, 2)
    names = {"tuned_name": "tuned model", "baseline_name": "base"}
    folder.write(
        "evaluation/comparison.json", {"metric": "mae", "higher_is_better": False, **names}
    )
    scores = {"tuned model": [1.0, 2.0, 3.0], "base": [4.0, 4.5, 5.0]}
    folder.write(
        "evaluation/predictions.json", {"row": [1, 2, 3], "weights": [1.0] * 3, "scores": scores}
    )
    return folder


def test_seeds_that_were_judged_alike_are_compared(run) -> None:
    write_scores(folder_of(run, 43), tuned(1.5, 2.0, 3.5), "mae")
    assert "Over 2 seeds" in write_spread(run, 42)


@pytest.mark.parametrize(
    ("judged", "metric"),
    [(tuned(1.5, 2.0, 3.5), "mse"), (tuned(1.0, 2.0), "mae"), (tuned(1, 2, 3, first_row=4), "mae")],
)
def test_a_seed_that_was_judged_otherwise_is_refused(run, judged, metric) -> None:
    """An evaluation by another metric, or of other rows, was cut off; a resume went on with it."""
    write_scores(folder_of(run, 43), judged, metric)
    with pytest.raises(InputError, match="seed-43 was judged by another metric or on other rows"):
        write_spread(run, 42)
