"""A conversation in the terminal, one line a turn.

Every turn goes through the chat template anew, by the training's renderer. A model that was trained
on prompts and completions has no conversations: there each line is a prompt of its own.
"""

import contextlib
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from rich.console import Console

from nybble.data.examples import Message
from nybble.data.render import Ids
from nybble.data.truncate import cut_examples
from nybble.generation.sampling import Sampling
from nybble.pipeline.asking import Asking
from nybble.pipeline.inference import Speaker, Subject, load_speaker
from nybble.report.answer_text import print_answer
from nybble.runs.errors import InputError

COMMANDS = {
    "/reset": "forget what was said",
    "/system": "TEXT: begin anew after this system message; without TEXT, after none",
    "/base": "go on without the adapter",
    "/tuned": "go on with the adapter",
    "/quit": "end; so does Ctrl-D",
}


class Talk:
    """What has been said so far, and to whom. `show` gets an answer piece by piece."""

    def __init__(
        self, speaker: Speaker, asking: Asking, sampling: Sampling, show: Callable[[str], None]
    ) -> None:
        self.speaker = speaker
        self.asking = asking
        self.sampling = sampling
        self.show = show
        self.tuned = speaker.tuned
        self.history: list[Message] = []
        self.asked = 0

    def say(self, line: str) -> str:
        """The answer to `line`. An interrupt ends the answer; what was said of it stays said."""
        question: Message = {"role": "user", "content": line}
        prompt = self._prompt(question, line)
        # With one seed for all, asking again would draw the same answer again.
        sampling = replace(self.sampling, seed=self.sampling.seed + self.asked)
        pieces: list[str] = []

        def on_text(piece: str) -> None:
            pieces.append(piece)
            self.show(piece)

        streamed = on_text if sampling.beams == 1 else None
        with contextlib.suppress(KeyboardInterrupt):
            answers = self.speaker.answers([prompt], sampling, on_text=streamed, tuned=self.tuned)
            if streamed is None:
                on_text(answers[0])
        self.asked += 1
        answer = "".join(pieces)
        self.history += [question, {"role": "assistant", "content": answer}]
        return answer

    def obey(self, line: str) -> str:
        """Carry out a command; gives a line that says what was done."""
        command, _, text = line.partition(" ")
        if command == "/reset":
            self.history = []
            return "Begun anew."
        if command == "/system":
            self.asking = replace(self.asking, system=text.strip() or None)
            self.history = []
            return f"Begun anew, {'after that' if text.strip() else 'without a'} system message."
        if command in ("/base", "/tuned"):
            if not self.speaker.tuned:
                raise InputError("There is no adapter to switch.", "Name a run, or --adapter.")
            self.tuned = command == "/tuned"
            return f"Going on with{'' if self.tuned else 'out'} the adapter."
        raise InputError(
            f"There is no command {command}.",
            f"Known: {', '.join(COMMANDS)}; a space before it makes it a line like any other.",
        )

    def _prompt(self, question: Message, line: str) -> Ids:
        from nybble.pipeline.questions import prompts

        example = self.asking.text(line, where="The line")
        if self.asking.conversations:
            example = self.asking.turns([*self.history, question])
        shortened = cut_examples([example], self.asking.part, self.speaker.renderer)
        return prompts(shortened, self.speaker.renderer, ())[0]


def check_chat(subject: Subject) -> None:
    """Refuse a model alone that has no chat template; a run's recipe says how it is asked."""
    if subject.is_run or subject.conversations:
        return
    raise InputError(
        f"{subject.name} has no chat template, so it holds no conversations.",
        "Take an instruct model, or ask it plain prompts with `nybble generate`.",
    )


def chat(subject: Subject, sampling: Sampling, system: str | None = None) -> None:
    """Converse until /quit or the end of the input. Answers go to stdout, the rest to stderr."""
    check_chat(subject)
    asking = Asking(subject.recipe.data, subject.conversations, system)
    notes = Console(stderr=True, highlight=False)
    talk = Talk(load_speaker(subject), asking, sampling, partial(print_answer, end=""))
    watched = sys.stdin.isatty()
    if watched:
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401  (input() then edits its line)
        notes.print(_welcome(subject), markup=False, style="dim")
    while (line := _read_line(talk, watched)) is not None:
        if line.rstrip() == "/quit":
            break
        try:
            if line.startswith("/"):
                notes.print(talk.obey(line.rstrip()), markup=False, style="dim")
            elif line.strip():
                talk.say(line)
                print()
        except InputError as error:
            notes.print(str(error), markup=False, style="red")


def _welcome(subject: Subject) -> str:
    kind = "a conversation" if subject.conversations else "each line is a prompt of its own"
    listed = "\n".join(f"  {command:8} {what}" for command, what in COMMANDS.items())
    return f"{subject.name}: {kind}.\n{listed}"


def _read_line(talk: Talk, watched: bool) -> str | None:
    """The next line without its end, None at the end of the input."""
    who = "tuned" if talk.tuned else "base"
    try:
        return input(f"{who} › " if watched else "")
    except (EOFError, KeyboardInterrupt):
        if watched:
            print()
        return None
