"""The program in an answer. One rule, for chat models and for base models alike:

1. What the model thought aloud (up to `</think>`) is left out, and so is the question repeated.
2. Of fenced blocks that are Python, or that name no language: the first that defines the function
   asked for, or else all of them, one after the other. A block that is never closed goes on to the
   end.
3. Without blocks: from the first line that begins like code, as many lines as are Python together;
   where none are, everything from a line that begins a function or class: a program with an error.
4. Where the question was the beginning of a function (HumanEval), what defines that function is
   added to the question, so that its imports are there; anything else goes on with it.

An answer without code has no program: None.
"""

import ast
import re
import textwrap
from collections.abc import Iterator

from nybble.evaluation.problems import Problem

LONGEST_ANSWER = 100_000
"""Characters. Longer answers are loops of a model that has lost its way, not programs."""

# A text can be made that needs a look for each of its lines.
_MOST_STARTS, _MOST_CUTS = 50, 100

_FENCE = re.compile(r"^\s{0,12}(```+|~~~+)\s*([\w+#.-]*)[^`]*$")
_PYTHON = frozenset(("", "python", "py", "python3", "py3", "python2"))
_CODE = re.compile(r"(?:def|class|import|from|async def|if|for|while|try:|with)\b|@\w|\w+ *=[^=]|#")
_DEFINITION = re.compile(r"(?:async )?def \w+ *\(|class \w+ *[(:]")
_SUBSTANCE = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Assign,
)  # fmt: skip


def read_program(answer: str, problem: Problem, prompt: str = "") -> str | None:
    """The program that `answer` gives to `problem`, or None where it holds none."""
    if len(answer) > LONGEST_ANSWER or "\0" in answer:
        return None
    text = _said(answer.replace("\r\n", "\n"), problem, prompt)
    blocks = list(_blocks(text))
    if blocks:
        whole = [block for block in blocks if defines(block, problem.function)]
        code = whole[0] if whole else "\n".join(blocks)
    elif problem.beginning and not _bare(text, problem.function):
        code = text
    else:
        code = _bare(text, problem.function) or ""
    if not code.strip():
        return None
    return _joined(problem.beginning, code, problem.function) if problem.beginning else code


def defines(source: str, name: str) -> bool:
    """Whether `source` is Python that defines or assigns `name` at its outermost level."""
    tree = _parsed(source)
    return tree is not None and any(name in _names(statement) for statement in tree.body)


def _said(text: str, problem: Problem, prompt: str) -> str:
    text = text.rpartition("</think>")[2]
    for question in (prompt, problem.beginning):
        if question.strip() and text.lstrip().startswith(question.strip()):
            text = text.lstrip()[len(question.strip()) :]
            # The beginning of the function was repeated: with it, the answer is whole.
            return question.strip() + text if question == problem.beginning else text
    return text


def _blocks(text: str) -> Iterator[str]:
    """The fenced blocks that are Python or name no language."""
    fence, language, lines = "", "", list[str]()
    for line in text.split("\n"):
        found = _FENCE.match(line)
        if fence and line.strip() == fence:
            if language in _PYTHON:
                yield _dedented(lines)
            fence = ""
        elif not fence and found:
            fence, language, lines = found[1], found[2].lower(), []
        elif fence:
            lines.append(line)
    if fence and language in _PYTHON and any(line.strip() for line in lines):
        yield _dedented(lines)


def _dedented(lines: list[str]) -> str:
    """A block in a list is indented as a whole; the body of a function stays as it is."""
    code = "\n".join(lines)
    plain = textwrap.dedent(code)
    tree = _parsed(plain)
    whole = tree is not None and any(isinstance(s, _SUBSTANCE[:3]) for s in tree.body)
    return plain if whole else code


def _bare(text: str, function: str) -> str | None:
    """Code among prose: as many lines as are Python together, and do something."""
    lines = text.split("\n")
    starts = [start for start, line in enumerate(lines) if _CODE.match(line)]
    best = None
    for start in starts[:_MOST_STARTS]:
        code = longest_python("\n".join(lines[start:]))
        tree = _parsed(code)
        if tree is None or not any(isinstance(s, _SUBSTANCE) for s in tree.body):
            continue
        if defines(code, function):
            return code
        best = best or code
    begun = [start for start, line in enumerate(lines) if _DEFINITION.match(line)]
    return best or ("\n".join(lines[begun[0] :]) if begun else None)


def longest_python(text: str) -> str:
    """The first lines of `text`, as many as are Python together."""
    lines = text.split("\n")
    end = len(lines)
    for _ in range(_MOST_CUTS):
        code = "\n".join(lines[:end])
        try:
            ast.parse(code)
            return code
        except SyntaxError as error:
            # What comes before the line of the error may still be unfinished.
            end = min(end - 1, max(0, (error.lineno or end) - 1))
        except (ValueError, RecursionError, MemoryError):
            return ""
    return ""


def _joined(beginning: str, code: str, function: str) -> str:
    """The beginning of a function with its body, or before a function that is whole."""
    if defines(code, function):
        for before in (beginning, beginning.rstrip() + "\n    pass\n"):
            if _parsed(before) is not None:
                return f"{before.rstrip()}\n\n\n{code}"
        return code
    # The spaces before the first line are lost where an answer was stripped.
    tries = [beginning + code, f"{beginning.rstrip()}\n    {code.lstrip()}"]
    lengths = [len(longest_python(text)) for text in tries]
    chosen = tries[lengths.index(max(lengths))]
    return longest_python(chosen) if max(lengths) > len(beginning) else chosen


def _parsed(source: str) -> ast.Module | None:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _names(statement: ast.stmt) -> set[str]:
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {statement.name}
    if isinstance(statement, ast.Assign):
        return {target.id for target in statement.targets if isinstance(target, ast.Name)}
    return set()
