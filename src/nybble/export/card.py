"""The model card: what was trained on what, how it was judged, and how to load it.

Everything in it is from the run's folder. Every measured number stands with its n and its interval;
names of local files lose their folders, and what looks like a token is masked.
"""

import re
from pathlib import Path
from typing import Any

import yaml

from nybble.export.snippet import Source, decoder, loading_snippet
from nybble.recipe import Recipe, dump_recipe
from nybble.recipe.references import map_references
from nybble.recipe.train_part import TrainPart
from nybble.report.terminal import interval_text
from nybble.runs.atomic import read_json_lines
from nybble.runs.folder import RunFolder
from nybble.runs.secrets import masked
from nybble.sources import parse_reference

_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~!$])")


def write_card(
    folder: RunFolder,
    recipe: Recipe,
    name: str,
    merge_report: dict[str, Any] | None = None,
    step: int | None = None,
) -> str:
    """The card as Markdown, for an adapter or model that is loaded by `name`.

    With `merge_report` (what merge.json holds) it is the merged model's; with `step` that of a
    checkpoint, and says that the training goes on. Raises `InputError` when
    the run lacks plan.json or environment.json.
    """
    public = public_recipe(recipe)
    sections = [
        _front_matter(recipe, merge_report is not None),
        f"# {escaped(recipe.name)}",
        escaped(recipe.summary) if recipe.summary else "",
        _trained(folder, recipe, public, step),
        _results(folder, recipe) if step is None else _going_on(step, name),
        _merged(merge_report) if merge_report else "",
        _usage(folder, recipe, public, name, merge_report),
        f"## Recipe\n\n{_fenced(dump_recipe(public), 'yaml')}",
        _versions(folder),
    ]
    return masked("\n\n".join(section for section in sections if section) + "\n")


def public_recipe(recipe: Recipe) -> Recipe:
    """`recipe` with local paths cut down to the last name: folders say who trained it, and where"""
    return map_references(recipe, without_folders)


def escaped(text: str) -> str:
    """`text` as Markdown that shows it as it is, on one line."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split())).replace("\\<", "&lt;").replace(
        "\\>", "&gt;"
    )  # fmt: skip


def without_folders(reference: str) -> str:
    """`reference`; of a path the last name."""
    is_path = parse_reference(reference).kind == "path"
    return (Path(reference).name or "local") if is_path else reference


def hub_name(reference: object) -> str | None:
    """owner/name of what is on the Hub; None for anything else."""
    if not isinstance(reference, str):
        return None
    parsed = parse_reference(reference)
    return parsed.name if parsed.kind == "hub" else None


def _front_matter(recipe: Recipe, merged: bool) -> str:
    """What the Hub reads. A licence is not ours to choose: the Hub asks for it."""
    data = recipe.data
    sources = [*data.train_sources, data.validation, data.test]
    datasets = list(dict.fromkeys(name for name in map(hub_name, sources) if name))
    base = hub_name(recipe.model.base)
    quantised = ["qlora"] if recipe.model.quantization in ("nf4", "fp4") else []
    tags = ["lora", *quantised] if recipe.lora else []
    fields: dict[str, Any] = {
        **({"base_model": base} if base else {}),
        "library_name": "transformers" if merged or recipe.lora is None else "peft",
        "pipeline_tag": "text-generation",
        "tags": ["nybble", *tags],
        **({"datasets": datasets} if datasets else {}),
    }
    return f"---\n{yaml.safe_dump(fields, sort_keys=False, allow_unicode=True)}---"


def _per_step(train: TrainPart) -> str:
    if train.batch_tokens is None:
        return f"{train.batch_size} rows"
    return f"at most {train.batch_tokens:,} tokens"


def _trained(folder: RunFolder, recipe: Recipe, public: Recipe, step: int | None) -> str:
    lora, train = recipe.lora, recipe.train
    kept = {
        "nf4": "in NF4 (4 bits)",
        "fp4": "in FP4 (4 bits)",
        "int8": "in 8 bits",
        "none": "unquantised",
    }[recipe.model.quantization]
    base = escaped(public.model.base)
    if lora is None:
        text = f"Every weight of {base}, in fp32"
    else:
        named = lora.target_modules
        targets = named if isinstance(named, str) else ", ".join(named)
        text = (
            f"LoRA adapters (r = {lora.r}, lora_alpha = {lora.lora_alpha:g}, "
            f"{escaped(lora.variant)}, on {escaped(targets)}) for {base}, kept {kept} in training"
        )
    if recipe.model.new_tokens:
        text += f"; new tokens: {escaped(', '.join(recipe.model.new_tokens))}"
    text += f", with {_per_step(train)} per step at a learning rate of {train.learning_rate:g}."
    if (folder.path / "data" / "audit.json").is_file():
        audit = folder.read("data/audit.json")
        length = f"{train.num_train_epochs:g} epoch{'' if train.num_train_epochs == 1 else 's'}"
        if train.max_steps > 0:
            length = f"{train.max_steps:,} steps"
        text += (
            f"\n\nTrained on {audit['rows']['train']:,} rows of {escaped(public.data.train_name)}: "
            f"{audit['tokens']['train']:,} tokens an epoch, {audit['scored_tokens']['train']:,} of "
            f"them scored, for {length}."
        )
    return f"## Training\n\n{text}{'' if step else _end(folder, train)}"


def _end(folder: RunFolder, train: TrainPart) -> str:
    """Where the training ended and which step was taken, when the evaluations decided that."""
    lines = read_json_lines(folder.metrics) if train.seeks_best else []
    if not lines:
        return ""
    text = f" It ended after step {max(line['step'] for line in lines):,}"
    best = lines[-1].get("adapter_step")
    if best is not None:
        text += (
            f"; this is what step {best:,} had made, the best by "
            f"{escaped(train.metric_for_best_model)}"
        )
    return f"{text}."


def _going_on(step: int, name: str) -> str:
    return (
        f"## Checkpoint\n\nThese are the adapters after step {step:,}; the training is not over "
        f"and nothing is judged yet. `nybble resume hub:{name}` goes on from here."
    )


def _results(folder: RunFolder, recipe: Recipe) -> str:
    if not folder.comparison.is_file():
        return "## Results\n\nThis run was not judged: no held-out rows were asked."
    comparison = folder.read("evaluation/comparison.json")
    title = comparison["title"]
    n = comparison["n"]
    lines = [
        f"{escaped(title)} on the same {n:,} held-out rows, 95% intervals, differences paired; "
        f"{_asked(folder, recipe)}.",
        "",
        "| | value | tuned minus this | n |",
        "|---|---|---|---|",
        f"| **{escaped(comparison['tuned_name'])}** | {_cell(comparison['tuned'])} | | {n:,} |",
    ]
    others = {comparison["baseline_name"]: comparison["baseline"]} | comparison["references"]
    for name, value in others.items():
        difference = value.get("difference", comparison["difference"])
        lines.append(f"| {escaped(name)} | {_cell(value)} | {_cell(difference)} | {n:,} |")
    reads = comparison.get("test_reads")
    times = "once" if reads == 1 else f"{reads} times"
    read = f"\n\nThe test rows of this run have been read {times}." if reads else ""
    verdict = escaped(comparison["verdict"])
    return "## Results\n\n" + "\n".join(lines) + f"\n\n{verdict}{read}"


def _asked(folder: RunFolder, recipe: Recipe) -> str:
    """How the models were asked."""
    part = recipe.evaluate
    if part.task == "loss":
        return "nothing was written: the rows' own answers were scored"
    if part.choice == "likelihood":
        return "an answer is the likeliest label"
    if part.temperature > 0:
        return f"answers sampled at temperature {part.temperature:g}"
    return f"answers decoded by {decoder(folder, recipe)}"


def _cell(interval: dict[str, float]) -> str:
    return escaped(interval_text(interval))


def _merged(report: dict[str, Any]) -> str:
    kl = report["kl_nats"]
    return (
        "## Merged\n\n"
        f"Weights are {report['dtype']}(dequantised base + adapter). Checked against the adapter "
        f"on its quantised base: {report['texts_equal']:,} of {report['n']:,} greedy texts are "
        f"equal, and the next token's distribution differs by a KL of {kl['value']:.2g} nats (95% "
        f"interval {kl['low']:.2g} to {kl['high']:.2g}, n = {report['n']:,})."
    )


def _usage(
    folder: RunFolder,
    recipe: Recipe,
    public: Recipe,
    name: str,
    merge_report: dict[str, Any] | None,
) -> str:
    base = repr(hub_name(recipe.model.base) or public.model.base)
    if recipe.model.base.startswith("bundled:"):
        base = f"locate_model({recipe.model.base!r}, 'main')"
    if recipe.lora is None:
        source = Source(None, name, "float32")
    elif merge_report:
        source = Source(None, name, merge_report["dtype"])
    else:
        source = Source(base, name, folder.read("plan.json")["compute_dtype"])
    return f"## Use\n\n{_fenced(loading_snippet(folder, recipe, source), 'python')}"


def _versions(folder: RunFolder) -> str:
    environment = folder.read("environment.json")
    packages = {"python": environment["python"], **environment["packages"]}
    listed = ", ".join(f"{name} {version}" for name, version in packages.items() if version)
    return f"## Versions\n\n{escaped(listed)}; trained on {escaped(environment['device'])}."


def _fenced(text: str, language: str) -> str:
    """A code block whose fence is longer than any in the text."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
