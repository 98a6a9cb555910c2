"""The evaluation step of a run: base and tuned model, and references, on the same test rows."""

from typing import Any

from peft import PeftModel

from nybble.evaluation.comparison import compare, of_run
from nybble.evaluation.contender import Contender, Kind
from nybble.evaluation.making import thresholds_of
from nybble.evaluation.sandbox import protection
from nybble.evaluation.slices import slicings
from nybble.evaluation.task import Answers
from nybble.generation.cache import ModelCache, PredictionCache
from nybble.generation.identity import local_identity
from nybble.model.whole import untuned
from nybble.pipeline.examiner import Examiner
from nybble.pipeline.judged_files import count_test_read, save_answers, side_by_side
from nybble.pipeline.references import FLOOR, references
from nybble.pipeline.stage import Stage
from nybble.planner.plan import Plan
from nybble.report.terminal import print_comparison
from nybble.runs.folder import RunFolder

TUNED, ZERO_SHOT, FEW_SHOT = "tuned model", "zero-shot base", "few-shot base"


def on_test_rows(stage: Stage, plan: Plan) -> Examiner:
    """Who asks the test rows that the recipe asks for."""
    return Examiner(stage, plan, stage.prepared.splits.test[: stage.recipe.evaluate.size])


def evaluate(stage: Stage, plan: Plan, model: PeftModel, folder: RunFolder) -> dict[str, Any]:
    """Compare base, tuned model and references; writes `evaluation/`, prints table and verdict."""
    examiner = on_test_rows(stage, plan)
    part, shots = examiner.part, stage.shots
    tuned_cache, base_cache = (
        answers_kept(folder, stage, plan, model, adapted) for adapted in (True, False)
    )
    asked: dict[str, tuple[Kind, list[Answers]]] = {}
    with untuned(model, stage.model_folder, stage.recipe.model, plan):
        asked[ZERO_SHOT] = ("base", examiner.ask(ZERO_SHOT, model, cache=base_cache))
        if shots:
            asked[FEW_SHOT] = ("base", examiner.ask(FEW_SHOT, model, shots, base_cache))
    baseline = FEW_SHOT if shots else ZERO_SHOT
    asked[TUNED] = ("tuned", examiner.ask(TUNED, model, cache=tuned_cache))
    contenders = [
        Contender(name, kind, examiner.judge(answers)) for name, (kind, answers) in asked.items()
    ]
    contenders += [
        Contender(name, "reference", examiner.judge_plain(guesses))
        for name, guesses in references(stage, examiner.examples).items()
    ]
    others = [one.name for one in contenders if one.name not in (baseline, TUNED)]
    comparison = compare(
        examiner.task,
        contenders,
        stage.recipe.train.seed,
        slicings(examiner.items, part.slices, examiner.task.name),
        [(TUNED, other) for other in (baseline, *others)],
    )
    floor = FLOOR if part.floor else None
    comparison = of_run(comparison, TUNED, baseline, floor, thresholds_of(part))
    comparison["protection"] = list(protection()) if part.task == "code" else []
    comparison["test_reads"] = count_test_read(folder)
    files = {"baseline": baseline, "tuned": TUNED, **({"zero_shot": ZERO_SHOT} if shots else {})}
    by_name = {one.name: one for one in contenders}
    for file, name in files.items():
        save_answers(folder, file, by_name[name])
    folder.write("evaluation/predictions.json", side_by_side(examiner.items, contenders, part))
    folder.write("evaluation/comparison.json", comparison)
    print_comparison(comparison)
    times = "once" if comparison["test_reads"] == 1 else f"{comparison['test_reads']} times"
    print(f"Choices were made on validation rows; this run has read its test rows {times}.")
    return comparison


def answers_kept(
    folder: RunFolder, stage: Stage, plan: Plan, model: Any, adapted: bool
) -> ModelCache:
    """What the model has answered already, with its adapter or without: an evaluation that was
    interrupted goes on, and one that is repeated asks only what is new."""
    part = stage.recipe.model
    identity = local_identity(
        model, stage.model_folder, part.quantization, plan.compute_dtype, adapted, part.new_tokens
    )
    return ModelCache(PredictionCache(folder.evaluation / "answers.jsonl"), identity)
