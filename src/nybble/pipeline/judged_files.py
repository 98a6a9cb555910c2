"""What an evaluation leaves on the disk: answers, all of them side by side, and how often test rows
were read."""

from collections.abc import Sequence
from typing import Any

from nybble.evaluation.contender import Contender
from nybble.evaluation.task import Item
from nybble.recipe.evaluate_part import EvaluatePart
from nybble.runs.atomic import write_json_lines
from nybble.runs.folder import RunFolder


def save_answers(folder: RunFolder, name: str, contender: Contender) -> None:
    """Write `evaluation/NAME.jsonl`, one answer a line."""
    lines = [judged.as_json() for judged in contender.judged]
    write_json_lines(folder.evaluation / f"{name}.jsonl", lines)


def side_by_side(
    items: Sequence[Item], contenders: Sequence[Contender], part: EvaluatePart
) -> dict[str, Any]:
    """`predictions.json`: all models' answers, as columns; what a page draws its charts from.

    `stand_in` is what counts where a value is None; `weights` are those of the rows.
    """

    def columns(of: Any) -> dict[str, list[Any]]:
        return {one.name: [of(judged) for judged in one.judged] for one in contenders}

    return {
        "row": [item.row for item in items],
        "text": [item.prompt for item in items],
        "truth": [item.truth for item in items],
        "values": columns(lambda judged: judged.value),
        "stand_in": contenders[0].judged[0].stand_in,
        "answers": columns(lambda judged: judged.answer),
        "scores": columns(lambda judged: judged.score),
        "details": columns(lambda judged: dict(judged.detail)),
        "weights": contenders[0].weights.tolist(),
        "columns": {c: [str(item.columns.get(c)) for item in items] for c in part.slices},
    }


def count_test_read(folder: RunFolder) -> int:
    """Note that the test rows were read once more; gives how often that was."""
    path = folder.evaluation / "test_reads.json"
    reads = int(folder.read("evaluation/test_reads.json")["reads"]) + 1 if path.exists() else 1
    folder.write("evaluation/test_reads.json", {"reads": reads})
    return reads
