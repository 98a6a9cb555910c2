"""The task `code`: the answer is a program, and counts by whether it passes the row's tests.

Each program runs in a sandbox (docs/sandbox.md). An answer without a program passes nothing; the
constant reference's guess, a program that does nothing, would not either.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from nybble.evaluation.code_answers import read_program
from nybble.evaluation.judging import judge_programs
from nybble.evaluation.metrics.passes import pass_at_k
from nybble.evaluation.problems import Problem, problem_of
from nybble.evaluation.sandbox import Limits, Verdict
from nybble.evaluation.task import Answers, Item, Judged

NO_PROGRAM = "The answer holds no program."
# A busy machine runs a program more slowly; its processor time is what counts.
_WALL_PER_CPU_SECOND = 4


@dataclass(frozen=True)
class CodeTask:
    """`k` is that of the headline pass@k; each program may use `timeout` seconds of a processor."""

    k: int = 1
    timeout: float = 10.0
    name: str = "code"
    higher_is_better: bool = True

    @property
    def metric(self) -> str:
        return f"pass@{self.k}"

    @property
    def measures(self) -> tuple[str, ...]:
        return tuple(f"pass@{k}" for k in sorted({1, self.k}))

    def plain(self) -> "CodeTask":
        return self

    def agree(self, one: Judged, other: Judged) -> bool:
        """Whether as many programs of both passed: programs that differ in text may be as good."""
        return one.detail["passed"] == other.detail["passed"]

    def judge(self, items: Sequence[Item], answers: Sequence[Answers]) -> list[Judged]:
        """Rows have the columns of MBPP or HumanEval. Equal programs of a row run once.

        Raises InputError for a row without tests, and for fewer answers than k.
        """
        problems = [problem_of(item.columns, f"row {item.row}") for item in items]
        rows = list(zip(items, problems, answers, strict=True))
        read = [
            [read_program(answer, problem, item.prompt) for answer in said]
            for item, problem, said in rows
        ]
        verdicts = self._verdicts(problems, read)
        return [
            self._judged(item, said, programs, verdicts[place])
            for place, (item, said, programs) in enumerate(zip(items, answers, read, strict=True))
        ]

    def metrics(self, judged: Sequence[Judged]) -> dict[str, float | None]:
        """`pass@1`, and the headline where that is another: means over rows."""
        counts = [(int(str(o.detail["samples"])), int(str(o.detail["passed"]))) for o in judged]
        return {
            f"pass@{k}": math.fsum(pass_at_k(n, passed, k) for n, passed in counts) / len(counts)
            for k in sorted({1, self.k})
        }

    def _verdicts(
        self, problems: Sequence[Problem], read: Sequence[Sequence[str | None]]
    ) -> list[dict[str | None, Verdict]]:
        """For each row, the verdict on each of its programs."""
        found: list[dict[str | None, Verdict]] = [
            {None: Verdict(False, NO_PROGRAM)} for _ in problems
        ]
        runs = [
            (place, program)
            for place, programs in enumerate(read)
            for program in dict.fromkeys(programs)
            if program is not None
        ]
        limits = Limits(math.ceil(self.timeout), _WALL_PER_CPU_SECOND * self.timeout)
        verdicts = judge_programs(
            [problems[place] for place, _ in runs], [program for _, program in runs], limits
        )
        for (place, program), verdict in zip(runs, verdicts, strict=True):
            found[place][program] = verdict
        return found

    def _judged(
        self,
        item: Item,
        said: Answers,
        programs: Sequence[str | None],
        verdicts: dict[str | None, Verdict],
    ) -> Judged:
        """The row's pass@k; in `detail` what became of the first program."""
        passed = sum(verdicts[program].passed for program in programs)
        first = verdicts[programs[0]]
        return Judged(
            item.row,
            item.prompt,
            said[0],
            programs[0],
            item.truth,
            pass_at_k(len(programs), passed, self.k),
            detail={
                "samples": len(programs),
                "passed": passed,
                "reason": first.reason,
                "assertions": [asdict(assertion) for assertion in first.assertions],
            },
            stand_in="",
        )
