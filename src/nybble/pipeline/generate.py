"""Answers to one prompt, or to a file of them."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from nybble.data.examples import Example
from nybble.data.truncate import cut_examples
from nybble.generation.sampling import Sampling
from nybble.pipeline.inference import Subject, load_speaker
from nybble.report.answer_text import print_answer
from nybble.runs.atomic import write_json_lines
from nybble.runs.errors import InputError
from nybble.runs.folder import check_not_below_file
from nybble.training.progress import watch


@dataclass(frozen=True)
class Telling:
    """Where answers go: to the terminal as text, as JSON lines, or as JSON lines into a file.

    Raises `InputError` for a file that exists, and for a stream of what is no single text.
    """

    single: bool
    as_json: bool
    output: Path | None
    stream: bool

    def __post_init__(self) -> None:
        if self.output and self.output.exists():
            raise InputError(f"{self.output} exists already.", "Choose another with --output.")
        if self.output:
            check_not_below_file(self.output)
        if self.stream and not self.as_text:
            raise InputError(
                "--stream shows one answer as text, not several and not JSON.",
                "Leave --stream out, or give one prompt without --json and --output.",
            )

    @property
    def as_text(self) -> bool:
        return self.single and not self.as_json and self.output is None


def telling(
    single: bool, as_json: bool, output: Path | None, stream: bool | None, sampling: Sampling
) -> Telling:
    """`stream` None streams a single text to a person who watches; beams cannot be streamed."""
    if stream and sampling.beams > 1:
        raise InputError(
            f"--stream with --beams = {sampling.beams}: a beam's text is known only at its end.",
            "Leave one of the two out.",
        )
    if stream is None:
        text = single and not as_json and output is None
        stream = text and sampling.beams == 1 and sys.stdout.isatty()
    return Telling(single, as_json, output, stream)


def generate(
    subject: Subject, examples: Sequence[Example], sampling: Sampling, telling: Telling
) -> list[str]:
    """Answer the examples, tell the answers as `telling` says, and give them in their order."""
    speaker = load_speaker(subject)
    from nybble.pipeline.questions import prompt_and_answer, prompts

    examples = cut_examples(examples, subject.recipe.data, speaker.renderer)
    asked = prompts(examples, speaker.renderer, ())
    if telling.stream:
        answers = speaker.answers(asked, sampling, on_text=partial(print_answer, end=""))
        print()
        return answers
    if telling.output is None:
        answers = speaker.answers(asked, sampling)
    else:
        with watch("answers", len(asked)) as bar:
            done = iter(range(1, len(asked) + 1))
            answers = speaker.answers(asked, sampling, lambda *_: bar.update(next(done)))
    if telling.as_text:
        print_answer(answers[0])
        return answers
    lines: list[dict[str, Any]] = [
        {"row": example.number, "prompt": prompt_and_answer(example)[0], "answer": answer}
        for example, answer in zip(examples, answers, strict=True)
    ]
    if telling.output is None:
        for line in lines:
            print_answer(json.dumps(line, ensure_ascii=False))
    else:
        write_json_lines(telling.output, lines)
        print(f"{len(lines):,} answers in {telling.output}")
    return answers
