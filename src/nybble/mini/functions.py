'''`bundled:functions`: small Python tasks with tests, in a house style.

Every task chains two or three operations of `operations.py`; the bundled model was pre-trained on
functions of one. The house style is new to it too: a docstring that repeats the task, and a line
for each step, named after it, the last one `result`.

    Write a function total that keeps the even numbers, and adds up the list.

    def total(items):
        """It keeps the even numbers, and adds up the list."""
        evens = [x for x in items if x % 2 == 0]
        result = sum(evens)
        return result
'''

import random
from collections.abc import Callable, Iterator
from typing import Any

from nybble.mini.operations import NUMBER, NUMBERS, OPERATIONS, WORD, Operation

STEPS, STEPS_SHARE = (2, 3), (60, 40)
CASES, ATTEMPTS = 3, 4
_SYLLABLES = ("an", "be", "cor", "dim", "el", "fo", "gra", "hu", "in", "lo", "ma", "ne", "sto")

Steps = tuple[Operation, ...]


def _numbers(rng: random.Random) -> list[int]:
    return [rng.randint(0, 40) for _ in range(rng.randint(4, 7))]


def _number(rng: random.Random) -> int:
    return rng.randint(0, 99)


def _word(rng: random.Random) -> str:
    return "".join(rng.choice(_SYLLABLES) for _ in range(rng.randint(1, 3)))


_DRAW: dict[str, Callable[[random.Random], Any]] = {
    NUMBERS: _numbers,
    NUMBER: _number,
    WORD: _word,
}
_TAKING = {kind: [o for o in OPERATIONS if o.takes == kind] for kind in _DRAW}


def draw_steps(rng: random.Random) -> Steps:
    """Two or three different operations, each of which takes what the one before it gives."""
    count = rng.choices(STEPS, STEPS_SHARE)[0]
    while True:
        chosen: list[Operation] = []
        following = list(OPERATIONS)
        while following and len(chosen) < count:
            chosen.append(rng.choice(following))
            following = [o for o in _TAKING.get(chosen[-1].gives, ()) if o not in chosen]
        if len(chosen) == count:
            return tuple(o.with_constant(rng.randint(o.low, o.high)) for o in chosen)


def outcome(steps: Steps, argument: Any) -> Any:
    """What the steps make of `argument`, one after the other."""
    for step in steps:
        argument = step.apply(argument)
    return argument


def task_of(steps: Steps) -> str:
    """What the function has to do, step by step."""
    return ", and ".join(step.task for step in steps)


def function_code(steps: Steps) -> str:
    """The function in the house style, named after its last step."""
    value = steps[0].takes
    lines = [
        f"def {steps[-1].name}({value}):",
        f'    """It {task_of(steps)}."""',
    ]
    for step in steps:
        name = "result" if step is steps[-1] else step.name
        lines.append(f"    {name} = {step.code(value)}")
        value = name
    return "\n".join([*lines, "    return result"])


def telling_cases(steps: Steps, rng: random.Random) -> list[Any] | None:
    """Three arguments that tell the task from one with a step left out, and from a constant.

    None where there seem to be none: in `the first 2 of the first 3 items` one step is idle.
    """
    # The last can always be left out: a count of 0 or 1 would pass for False or True.
    shorter = [
        steps[:i] + steps[i + 1 :]
        for i, step in enumerate(steps)
        if step.takes == step.gives or step is steps[-1]
    ]
    for _ in range(ATTEMPTS):
        cases = [_DRAW[steps[0].takes](rng) for _ in range(CASES)]
        wanted = [outcome(steps, case) for case in cases]
        others = [[outcome(fewer, case) for case in cases] for fewer in shorter]
        if wanted.count(wanted[0]) < CASES and wanted not in others:
            return cases
    return None


def functions(rows: int, seed: int = 0) -> Iterator[dict[str, Any]]:
    """`rows` tasks with MBPP's columns: `task_id` (from 1), `text`, `code`, `test_list` (three
    assertions, which `code` passes) and `test_setup_code` (empty).

    No two rows chain the same steps. The same seed gives the same rows, and more rows begin with
    the fewer ones.
    """
    rng = random.Random(f"functions {seed}")
    seen: set[str] = set()
    while len(seen) < rows:
        steps = draw_steps(rng)
        code = function_code(steps)
        cases = None if code in seen else telling_cases(steps, rng)
        if cases is None:
            continue
        seen.add(code)
        name = steps[-1].name
        yield {
            "task_id": len(seen),
            "text": f"Write a function {name} that {task_of(steps)}.",
            "code": code,
            "test_list": [f"assert {name}({c!r}) == {outcome(steps, c)!r}" for c in cases],
            "test_setup_code": "",
        }
