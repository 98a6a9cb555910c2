"""A model that answers: from the folder of a run, or from a model's name.

What can be refused is refused by `find_subject`, before torch is imported.
"""

import datetime
import json
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nybble.data.render import Ids, Renderer
from nybble.generation.sampling import Sampling
from nybble.planner.plan import Plan, make_plan
from nybble.recipe import Recipe, load_recipe
from nybble.recipe.schema import DataPart, ModelPart
from nybble.runs.errors import InputError
from nybble.runs.folder import RunFolder
from nybble.sources import check_model, find_adapter, find_model, parse_reference


@dataclass(frozen=True)
class Subject:
    """Which model is to answer, on the disk and whole; no weights are loaded.

    `trained_folder`: its adapter, or, where a run trained the whole model, that. `recipe` is the
    run's; of a model without a run, one whose data was never named. `conversations`: whether it
    was trained on them, or of a model alone, has a chat template.
    """

    name: str
    recipe: Recipe
    model_folder: Path
    trained_folder: Path | None
    is_run: bool
    conversations: bool


@dataclass(frozen=True)
class Speaker:
    """A loaded model with the renderer of its training. `context`: the most tokens it takes.

    `tuned`: whether there is a base that it differs from.
    """

    subject: Subject
    model: Any
    renderer: Renderer
    plan: Plan
    tuned: bool
    context: int | None

    def answers(
        self,
        prompts: list[Ids],
        sampling: Sampling,
        on_answer: Any = lambda place, text: None,
        on_text: Any = None,
        tuned: bool = True,
    ) -> list[str]:
        """The answers to `prompts`, in their order; the base's where not `tuned`.

        Callbacks as in `generate_answers`. Raises `InputError` when a prompt is too long.
        """
        import torch

        from nybble.generation.greedy import generate_answers

        self._check_lengths(prompts, sampling)
        texts = [""] * len(prompts)

        def keep(place: int, text: str) -> None:
            texts[place] = text
            on_answer(place, text)

        dtype = getattr(torch, self.plan.compute_dtype)
        with (
            self._as(tuned),
            torch.autocast(self.plan.device, dtype, enabled=dtype != torch.float32),
        ):
            generate_answers(
                self.model,
                self.renderer.tokenizer,
                prompts,
                sampling,
                self.plan.micro_batch_tokens,
                keep,
                on_text=on_text,
            )
        return texts

    def _as(self, tuned: bool) -> AbstractContextManager[None]:
        """The tuned model, or its base."""
        from nybble.model.whole import untuned

        if tuned or not self.tuned:
            return nullcontext()
        return untuned(self.model, self.subject.model_folder, self.subject.recipe.model, self.plan)

    def _check_lengths(self, prompts: list[Ids], sampling: Sampling) -> None:
        for place, prompt in enumerate(prompts, 1):
            which = f"Prompt {place}" if len(prompts) > 1 else "The prompt"
            if not prompt:
                raise InputError(f"{which} is empty.", "Ask something.")
            if self.context and len(prompt) + sampling.max_new_tokens > self.context:
                raise InputError(
                    f"{which} has {len(prompt):,} tokens: with --max-new-tokens = "
                    f"{sampling.max_new_tokens} that is more than the model's {self.context:,}.",
                    "Shorten the prompt, or lower --max-new-tokens.",
                )


def find_subject(reference: str, adapter: str | None = None, base: bool = False) -> Subject:
    """What `reference` names: the folder of a run, or a model (bundled, a folder, on the Hub).

    A run speaks with its own adapter, unless another is named; with `base`, with none. Raises
    `InputError` for a wrong path, a run without an adapter, and whatever keeps files from loading.
    """
    if base and adapter:
        raise InputError("--base and --adapter exclude each other.", "Leave one of the two out.")
    folder = RunFolder(Path(reference).expanduser())
    is_run = folder.recipe.is_file()
    if is_run:
        recipe = load_recipe(str(folder.recipe.absolute()))
        if adapter and recipe.lora is None:
            raise InputError(f"{reference} was trained whole, without adapters.",
                             "Leave out --adapter.")  # fmt: skip
        trained = None if adapter else _trained_of(folder, base)
    else:
        _check_reference(reference)
        recipe, trained = _no_run(reference), None
    part = recipe.model
    model_folder = find_model(part.base, part.revision, part.trust_remote_code)
    if trained and recipe.lora is None:
        check_model(trained)
    elif adapter or trained:
        trained = find_adapter(adapter or str(trained))
    conversations = _conversations(folder) if is_run else _has_chat_template(model_folder)
    return Subject(reference, recipe, model_folder, trained, is_run, conversations)


def load_speaker(subject: Subject) -> Speaker:
    """Load the model as it was trained on: NF4, compute in the policy's precision."""
    from nybble.data.tokenizer import load_tokenizer
    from nybble.model.adapters import load_adapters
    from nybble.model.device import current_device
    from nybble.model.load import load_base
    from nybble.model.whole import load_whole

    part = subject.recipe.model
    template = subject.recipe.data.chat_template
    tokenizer = load_tokenizer(
        subject.model_folder, part.trust_remote_code, template, part.new_tokens
    )
    renderer = Renderer(tokenizer, subject.recipe.data.date or datetime.date.today())
    config = json.loads((subject.model_folder / "config.json").read_text(encoding="utf-8"))
    # Nothing is recomputed where there is no backward.
    plan = replace(
        make_plan(subject.recipe, config, current_device(), longest=1), recompute_layers=0
    )
    if subject.recipe.lora is None:
        model = load_whole(subject.model_folder, part, plan, subject.trained_folder)
    else:
        model = load_base(subject.model_folder, part, plan)
        if subject.trained_folder:
            model = load_adapters(model, subject.trained_folder)
    context = config.get("max_position_embeddings")
    return Speaker(subject, model, renderer, plan, subject.trained_folder is not None, context)


def _trained_of(folder: RunFolder, base: bool) -> Path | None:
    """The run's own adapter or whole model, or None with `base`."""
    if base:
        return None
    if not folder.trained.exists():
        raise InputError(
            f"{folder.path} is not trained yet.",
            "Finish it with `nybble resume`, or ask the untuned model with --base.",
        )
    return folder.trained.absolute()


def _conversations(folder: RunFolder) -> bool:
    """Whether the rows of a run were conversations."""
    return bool(folder.read("data/audit.json").get("format") == "messages")


def _has_chat_template(folder: Path) -> bool:
    """Whether the tokenizer in `folder` brings one, without loading it."""
    if (folder / "chat_template.jinja").is_file():
        return True
    config = folder / "tokenizer_config.json"
    text = config.read_text(encoding="utf-8") if config.is_file() else ""
    return '"chat_template"' in text


def _no_run(reference: str) -> Recipe:
    """The recipe of a model alone. Its data is what the model is going to be asked."""
    return Recipe(
        name="no-run", model=ModelPart(base=reference), data=DataPart(train="what is asked")
    )


def _check_reference(reference: str) -> None:
    """Refuse a folder that is neither a run nor a model, before the Hub is asked for it."""
    path = Path(reference).expanduser()
    if (path / "adapter_config.json").is_file() and not (path / "config.json").is_file():
        run = path.parent if RunFolder(path.parent).recipe.is_file() else None
        raise InputError(
            f"{reference} is an adapter, not a model.",
            f"Name the run that it belongs to: {run}."
            if run
            else f"Name the model that it was trained on, and --adapter {reference}.",
        )
    first = Path(reference).parts[:1]
    hub = parse_reference(reference).kind == "hub" and not reference.startswith("hub:")
    if hub and first and Path(*first).is_dir():
        raise InputError(
            f"There is no run or model {reference}, but a folder {first[0]}.",
            f"Check the path; hub:{reference} asks the Hub.",
        )
