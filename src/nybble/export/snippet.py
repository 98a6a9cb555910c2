"""Python code that loads a run's model and answers as it was judged, without Nybble.

The reader fills in the prompt; base, precision, prompt format, stop ids and decoder are the run's.
"""

import json
import re
from dataclasses import dataclass

from nybble.data.template import NUMBER_FORMATS, parse_template
from nybble.recipe.schema import Recipe
from nybble.runs.folder import RunFolder
from nybble.sources import parse_reference

_WHOLE = re.compile(r"\d{0,3}")
_NUMBER = r"-?\d+(?:\.\d+)?"
# `currency` is read by more rules than a snippet can show: the first number is the nearest to it.
_NUMBERS = {"first": (_NUMBER, 0), "last": (_NUMBER, -1), "currency": (_NUMBER, 0)}
SAMPLES = 31


@dataclass(frozen=True)
class Source:
    """What to load from: `base` as a Python expression (None: `model` is merged), `model` a name or
    folder, `dtype` the precision to compute in."""

    base: str | None
    model: str
    dtype: str


def loading_snippet(folder: RunFolder, recipe: Recipe, source: Source) -> str:
    """The code as a text that ends in a line break."""
    how = decoder(folder, recipe)
    parts = [
        _imports(recipe, source, how),
        _load(recipe, source),
        _prompt(folder, recipe),
        _answer(folder, recipe, how),
    ]
    return "\n".join(parts)


def decoder(folder: RunFolder, recipe: Recipe) -> str:
    """How answers were read off the model: greedy, exact median, or median of samples.

    An exact median is a whole number up to 999 always (or empty); answers that hold another were
    sampled.
    """
    answers = folder.evaluation / "tuned.jsonl"
    if recipe.evaluate.decode == "greedy" or not answers.is_file():
        return "greedy"
    lines = answers.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    whole = all(_WHOLE.fullmatch(json.loads(line)["answer"]) for line in lines)
    return "exact median" if whole else "sampled median"


def _imports(recipe: Recipe, source: Source, how: str) -> str:
    names = ["AutoModelForCausalLM", "AutoTokenizer"]
    if source.base and recipe.model.quantization != "none":
        names.append("BitsAndBytesConfig")
    lines = ["import re", "import statistics", ""] if how == "sampled median" else []
    lines += ["import torch"]
    lines += ["from peft import PeftModel"] if source.base else []
    lines += [f"from transformers import {', '.join(names)}"]
    if source.base and source.base.startswith("locate_model"):
        lines += ["", "from nybble.sources import locate_model  # the base is bundled with Nybble"]
    return "\n".join(lines) + "\n"


def _load(recipe: Recipe, source: Source) -> str:
    dtype = f"torch.{source.dtype}"
    options = [f"dtype={dtype}", 'device_map="auto"']
    if recipe.model.trust_remote_code:
        options.append("trust_remote_code=True")
    lines = [f"tokenizer = AutoTokenizer.from_pretrained({source.model!r})"]
    if source.base is None:
        lines += [
            "model = AutoModelForCausalLM.from_pretrained(",
            f"    {source.model!r}, {', '.join(options)})",
        ]
        return "\n".join([*lines, "model.eval()"]) + "\n"
    kind = recipe.model.quantization
    if kind in ("nf4", "fp4"):
        lines += [
            f"{kind} = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type='{kind}',",
            f"    bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype={dtype})",
        ]
    elif kind == "int8":
        lines += ["int8 = BitsAndBytesConfig(load_in_8bit=True)"]
    if kind != "none":
        options.append(f"quantization_config={kind}")
    revision = parse_reference(recipe.model.base).revision_or(recipe.model.revision)
    if revision != "main":
        options.append(f"revision={revision!r}")
    lines += [
        "base = AutoModelForCausalLM.from_pretrained(",
        f"    {source.base}, {', '.join(options)})",
    ]
    if recipe.model.new_tokens:
        rows = "base.get_input_embeddings().weight.shape[0]"
        lines += [
            f"if len(tokenizer) > {rows}:  # room for the new tokens",
            "    base.resize_token_embeddings(len(tokenizer), mean_resizing=False)",
        ]
    lines += [
        f"model = PeftModel.from_pretrained(base, {source.model!r}).eval()",
    ]
    return "\n".join(lines) + "\n"


def _prompt(folder: RunFolder, recipe: Recipe) -> str:
    audit = folder.path / "data" / "audit.json"
    rows = json.loads(audit.read_text(encoding="utf-8")) if audit.is_file() else {}
    if "messages" in (recipe.data.format, rows.get("format")):
        return (
            'messages = [{"role": "user", "content": "..."}]\n'
            "inputs = tokenizer.apply_chat_template(\n"
            "    messages, add_generation_prompt=True, return_dict=True, return_tensors='pt'\n"
            ").to(model.device)\n"
        )
    line = 'prompt = "..."'
    if recipe.data.prompt and "{" in recipe.data.prompt:
        pieces = parse_template(recipe.data.prompt, "data.prompt").pieces
        filled: dict[str, str | int] = {column: "..." for _, column, _ in pieces if column}
        filled |= {c: 0 for _, c, spec in pieces if c and spec.endswith(NUMBER_FORMATS)}
        line = f"prompt = {recipe.data.prompt!r}.format(**{filled!r})"
    return f'{line}\ninputs = tokenizer(prompt, return_tensors="pt").to(model.device)\n'


def _answer(folder: RunFolder, recipe: Recipe, how: str) -> str:
    part = recipe.evaluate
    if how == "exact median":
        return (
            "# The median of the distribution over the tokens of 0 to 999, as it was judged.\n"
            "numbers = [tokenizer(str(n), add_special_tokens=False).input_ids[0]"
            " for n in range(1000)]\n"
            "with torch.no_grad():\n"
            "    shares = model(**inputs).logits[0, -1].float().softmax(-1)[numbers]\n"
            "reached = shares.double().cumsum(0)\n"
            "print(int((reached >= 0.5 * reached[-1]).int().argmax()))\n"
        )
    begin = 'inputs["input_ids"].shape[1]'
    end = f"max_new_tokens={part.max_new_tokens}{_stops(folder)}"
    if how == "greedy":
        return (
            f"ids = model.generate(**inputs, do_sample=False, {end})\n"
            f"print(tokenizer.decode(ids[0, {begin}:], skip_special_tokens=True))\n"
        )
    pattern, place = _NUMBERS.get(part.extract, (part.extract, 0))
    return (
        f"# The median of {SAMPLES} sampled answers, as it was judged.\n"
        f"ids = model.generate(**inputs, do_sample=True, temperature=1.0, top_p=1.0, top_k=0,\n"
        f"    num_return_sequences={SAMPLES}, {end})\n"
        f"texts = tokenizer.batch_decode(ids[:, {begin}:], skip_special_tokens=True)\n"
        f"found = [re.findall({pattern!r}, text) for text in texts]\n"
        f"print(statistics.median(float(numbers[{place}]) for numbers in found if numbers))\n"
    )


def _stops(folder: RunFolder) -> str:
    """The ids to stop at as a further argument, where the run has them."""
    path = folder.trained / "generation_config.json"
    if not path.is_file():
        return ""
    stops = json.loads(path.read_text(encoding="utf-8"))["eos_token_id"]
    return f", eos_token_id={stops!r}"
