"""What a model wrote, shown to a person.

A model can write any character, escape sequences too, and a terminal obeys them: they move the
cursor, change the title, or paint over what stands there. In a file or a pipe nothing is changed.
"""

import sys

# C0 without tab and line feed, delete, and C1: what a terminal takes for commands.
_COMMANDS = [*range(0x00, 0x09), *range(0x0B, 0x20), 0x7F, *range(0x80, 0xA0)]
# Those of ASCII have pictures of their own: ␛ for escape.
_PICTURES = {c: chr(0x2400 + c if c < 0x20 else 0x2421 if c == 0x7F else 0xFFFD) for c in _COMMANDS}


def print_answer(text: str, end: str = "\n") -> None:
    """Print `text` on stdout at once, harmless where that is a terminal."""
    print(harmless(text) if sys.stdout.isatty() else text, end=end, flush=True)


def harmless(text: str) -> str:
    """`text` with a picture in place of every control character but tab and line feed."""
    return text.translate(_PICTURES)
