"""`nybble generate`."""

from pathlib import Path
from typing import Annotated

import typer

from nybble.cli import sampling as options
from nybble.cli.arguments import AsJson
from nybble.generation.sampling import Sampling


def generate(
    model: options.Speaking,
    prompt: Annotated[
        str | None, typer.Argument(help="What to ask; else --file or standard input.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="Rows (.jsonl, .csv, ...) or lines (.txt) to ask.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", help="Write answers into this file as JSON lines.")
    ] = None,
    base: options.Base = False,
    adapter: options.Adapter = None,
    system: options.System = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="Send the text as it is: no template, no turns.")
    ] = False,
    temperature: options.Temperature = Sampling.temperature,
    top_p: options.TopP = Sampling.top_p,
    top_k: options.TopK = Sampling.top_k,
    repetition_penalty: options.RepetitionPenalty = Sampling.repetition_penalty,
    min_new_tokens: options.MinNewTokens = Sampling.min_new_tokens,
    max_new_tokens: options.MaxNewTokens = Sampling.max_new_tokens,
    beams: options.Beams = Sampling.beams,
    seed: options.Seed = Sampling.seed,
    stop: options.Stop = None,
    stream: Annotated[
        bool | None,
        typer.Option(
            "--stream/--no-stream",
            help="Show the answer as it is written; in a terminal it is.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Ask a run or a model, in the form that it was trained on. The defaults are greedy.

    Example: nybble generate runs/demo "lamp from Okoru, brass, 40 W." --max-new-tokens 4
    """
    sampling = Sampling(temperature, top_p, top_k, repetition_penalty, min_new_tokens,
                        max_new_tokens, beams, seed, tuple(stop or ()))  # fmt: skip
    from nybble.pipeline.asking import Asking, read_given
    from nybble.pipeline.generate import generate as answer
    from nybble.pipeline.generate import telling
    from nybble.pipeline.inference import find_subject

    given = read_given(prompt, file)
    told = telling(given.single, as_json, output, stream, sampling)
    subject = find_subject(model, adapter, base)
    asking = Asking(subject.recipe.data, subject.conversations, system, raw)
    answer(subject, asking.examples(given), sampling, told)
