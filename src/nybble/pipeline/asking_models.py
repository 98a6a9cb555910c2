"""Answers of the models that are compared. Imports torch, and loads each base once."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from nybble.data.examples import Example, Pair
from nybble.evaluation.contender import Contender, Kind
from nybble.evaluation.task import Answers
from nybble.generation.cache import ModelCache, PredictionCache
from nybble.generation.identity import local_identity
from nybble.generation.remote import RemoteModel
from nybble.generation.sampling import Sampling
from nybble.model.adapters import load_adapters, without_adapters
from nybble.model.device import current_device
from nybble.model.load import load_base
from nybble.pipeline.contenders import Local, Remote
from nybble.pipeline.examiner import Examiner
from nybble.pipeline.questions import after_shots, prompt_and_answer
from nybble.pipeline.stage import Stage
from nybble.planner.plan import Plan, make_plan
from nybble.runs.errors import InputError
from nybble.training.progress import watch

TOOLS = ("tool", "function", "ipython")
"""Who says what a tool answered."""


@dataclass(frozen=True)
class ToAsk:
    """A model, with the form in which it is asked and the rows in that form."""

    model: Local
    stage: Stage
    examples: Sequence[Example]

    @property
    def base(self) -> tuple[str, ...]:
        """Equal where one loaded base serves two models."""
        part = self.model.recipe.model
        folder = str(self.model.model_folder.resolve())
        return (folder, part.quantization, part.dtype, *part.new_tokens)


def ask_locals(to_ask: Sequence[ToAsk], cache: PredictionCache) -> dict[str, Contender]:
    """Every model's judged answers by its name; a base with no more adapters to come is let go."""
    found: dict[str, Contender] = {}
    for base in dict.fromkeys(one.base for one in to_ask):
        found |= _ask_on_one_base([one for one in to_ask if one.base == base], cache)
    return found


def _ask_on_one_base(to_ask: Sequence[ToAsk], cache: PredictionCache) -> dict[str, Contender]:
    first = to_ask[0].model
    plan = _plan(first)
    base: Any = load_base(first.model_folder, first.recipe.model, plan)
    found = {}
    for one in to_ask:
        adapter = one.model.adapter_folder
        model = load_adapters(base, adapter) if adapter else base
        part = one.model.recipe.model
        identity = local_identity(
            model, first.model_folder, part.quantization, plan.compute_dtype,
            new_tokens=part.new_tokens,
        )  # fmt: skip
        examiner = Examiner(one.stage, plan, one.examples)
        # What was trained has learnt the form; a base is shown it.
        shots = () if adapter or one.model.run else one.stage.shots
        answers = examiner.ask(one.model.name, model, shots, ModelCache(cache, identity))
        kind: Kind = "tuned" if one.model.run else "adapter" if adapter else "base"
        found[one.model.name] = Contender(one.model.name, kind, examiner.judge(answers))
        if adapter:
            base = without_adapters(model)
    return found


def check_remotes(remotes: Sequence[Remote], stage: Stage, examples: Sequence[Example]) -> None:
    """Raises `InputError` for rows with tools: without them, a remote model would be asked
    something else than the others are."""
    shots = stage.shots if remotes else ()
    for example in examples if remotes else ():
        whole = after_shots(example, shots)
        if isinstance(whole, Pair):
            continue
        if whole.tools or any("tool_calls" in m or m["role"] in TOOLS for m in whole.messages[:-1]):
            raise InputError(
                f"{remotes[0].name}: row {example.number} has tools, which are not sent to remote "
                "models.",
                "Leave it out, or compare on rows without tools.",
            )


def ask_remote(
    remote: Remote, stage: Stage, examples: Sequence[Example], cache: PredictionCache
) -> tuple[list[Answers], float | None]:
    """A remote model's answers, and their cost in dollars where its prices are known."""
    part = stage.recipe.evaluate
    model = RemoteModel(remote.reference, cache)
    sampling = Sampling(
        temperature=part.temperature,
        max_new_tokens=part.max_new_tokens,
        seed=stage.recipe.train.seed,
        stop=tuple(part.stop),
    )
    chat = remote.reference.api == "chat"
    asked = [_turns(one, stage.shots) if chat else _text(one, stage.shots) for one in examples]
    answers: list[list[str]] = [[] for _ in examples]
    with watch(remote.name, len(asked) * part.samples) as bar:
        done = iter(range(1, len(asked) * part.samples + 1))

        def on_answer(place: int, text: str) -> None:
            answers[place].append(text)
            bar.update(next(done))

        model.ask(asked, sampling, on_answer, part.samples)
    return [tuple(said) for said in answers], model.bill.dollars(remote.reference)


def _turns(example: Example, shots: Sequence[Example]) -> list[dict[str, str]]:
    """A row as turns of a conversation, after the shots with their answers."""
    if isinstance(example, Pair):
        turns: list[dict[str, str]] = []
        for shot in shots:
            asked, answer = prompt_and_answer(shot)
            turns += [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
        return [*turns, {"role": "user", "content": example.prompt}]
    whole = after_shots(example, shots)
    assert not isinstance(whole, Pair)
    return [{"role": m["role"], "content": str(m["content"])} for m in whole.messages[:-1]]


def _text(example: Example, shots: Sequence[Example]) -> str:
    return prompt_and_answer(after_shots(example, shots))[0]


def _plan(one: Local) -> Plan:
    """As a model that answers has it: nothing is recomputed where there is no backward."""
    config = json.loads((one.model_folder / "config.json").read_text(encoding="utf-8"))
    plan = make_plan(one.recipe, config, current_device(), longest=1)
    return replace(plan, recompute_layers=0)
