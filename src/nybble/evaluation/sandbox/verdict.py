"""What a program may use up, and what became of it."""

from dataclasses import dataclass, field

MEBIBYTE = 2**20


@dataclass(frozen=True)
class Limits:
    """What one program may use up.

    Processor time decides, since it depends least on what else the machine does; the wall clock is
    for programs that wait. Memory is that of each of the two processes (program and tests).
    """

    cpu_seconds: int = 15
    wall_seconds: float = 60.0
    memory_bytes: int = 512 * MEBIBYTE
    folder_bytes: int = 16 * MEBIBYTE
    open_files: int = 64
    threads: int = 32
    output_bytes: int = MEBIBYTE


@dataclass(frozen=True)
class Assertion:
    """One `assert` of the tests: its source, whether it held, and if not, what was seen."""

    text: str
    passed: bool
    message: str = ""


@dataclass(frozen=True)
class Verdict:
    """What became of one program.

    `reason` is one sentence. `assertions` are those of the tests that were reached, in the order of
    their source. `output` is the beginning of what the program printed. `protection` names the
    layers that held it: see `nybble.evaluation.sandbox.protection`.
    """

    passed: bool
    reason: str
    assertions: tuple[Assertion, ...] = ()
    output: str = ""
    wall_seconds: float = 0.0
    protection: tuple[str, ...] = field(default=())
