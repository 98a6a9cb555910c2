"""Options of `nybble generate` and `nybble chat` alike; `Sampling` says their ranges."""

from typing import Annotated

import typer

from nybble.cli.completion import runs_and_models

Speaking = Annotated[
    str,
    typer.Argument(
        metavar="RUN|MODEL",
        help="A run, or a model: folder or hub id.",
        autocompletion=runs_and_models,
    ),
]
Base = Annotated[bool, typer.Option("--base", help="The run's model without its adapter.")]
Adapter = Annotated[
    str | None, typer.Option("--adapter", help="An adapter for the model: folder or hub id.")
]
System = Annotated[
    str | None, typer.Option("--system", help="System message before the conversation.")
]
Temperature = Annotated[
    float, typer.Option("--temperature", help="0: the most likely token; 1: draw as trained.")
]
TopP = Annotated[float, typer.Option("--top-p", help="Draw from the likeliest of this share.")]
TopK = Annotated[int, typer.Option("--top-k", help="Draw from so many likeliest tokens; 0: all.")]
RepetitionPenalty = Annotated[
    float, typer.Option("--repetition-penalty", help="Above 1 makes used tokens less likely.")
]
MinNewTokens = Annotated[
    int, typer.Option("--min-new-tokens", help="No stop token before so many tokens.")
]
MaxNewTokens = Annotated[int, typer.Option("--max-new-tokens", help="Longest answer, in tokens.")]
Beams = Annotated[int, typer.Option("--beams", help="Beam search with so many beams.")]
Seed = Annotated[int, typer.Option("--seed", help="Same seed, same answers.")]
Stop = Annotated[
    list[str] | None, typer.Option("--stop", help="End before this text; may be given repeatedly.")
]
