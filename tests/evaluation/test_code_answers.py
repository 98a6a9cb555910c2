"""Answers as models give them, and the program that a careful person reads in each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nybble.evaluation.code_answers import LONGEST_ANSWER, defines, longest_python, read_program
from nybble.evaluation.problems import Problem

DOUBLE = Problem(("assert double(2) == 4",), "double")
CODE = "def double(x):\n    return 2 * x"
OTHER = "def helper(x):\n    return x"
BEGINNING = 'import math\n\n\ndef double(x: int) -> int:\n    """Twice x."""\n'
BEGUN = Problem(("def check(f): assert f(2) == 4\ncheck(double)",), "double", "", BEGINNING)


@pytest.mark.parametrize(
    ("answer", "program"),
    [
        (CODE, CODE),
        (f"```python\n{CODE}\n```", CODE),
        (f"```\n{CODE}\n```", CODE),
        (f"```py\n{CODE}\n```\n", CODE),
        (f"~~~python\n{CODE}\n~~~", CODE),
        (f"````python\n{CODE}\n````", CODE),
        (f"Sure! Here it is:\n\n```python\n{CODE}\n```\n\nIt doubles `x`.", CODE),
        (f"```python\n{CODE}", CODE),
        (f"```python\n{CODE}\n```\nUsage:\n```python\nprint(double(3))\n```", CODE),
        (f"Install:\n```bash\npip install it\n```\n```python\n{CODE}\n```", CODE),
        (f"```python\n{OTHER}\n```\nand\n```python\n{CODE}\n```", CODE),
        (f"```python\n{CODE}\n```\nor\n```python\ndouble = lambda x: x + x\n```", CODE),
        ("```python\nimport math\n```\n```python\nTWO = 2\n```", "import math\nTWO = 2"),
        (f"1. Like so:\n   ```python\n   {CODE.replace(chr(10), chr(10) + '   ')}\n   ```", CODE),
        (f"<think>Maybe\n```python\ndef double(x): return x\n```\n</think>\n{CODE}", CODE),
        (f"Here is the function:\n\n{CODE}\n\nIt returns twice x.", f"{CODE}\n"),
        (f"{CODE}\n\nTask: Write a function to find the end.\nSolution:", f"{CODE}\n"),
        (f"{CODE}\n\nThis doubles the number.", f"{CODE}\n"),
        (f"import math\n{CODE}", f"import math\n{CODE}"),
        (f"R = 3\r\n{CODE}".replace("\n", "\r\n").replace("\r\r", "\r"), f"R = 3\n{CODE}"),
        ("double = lambda x: 2 * x", "double = lambda x: 2 * x"),
        (f"# twice\n{CODE}", f"# twice\n{CODE}"),
        (f"Note: if it is needed,\nif so\n\n{CODE}", CODE),
        (f"@cache\n{CODE}\n", f"@cache\n{CODE}\n"),
        ("def double(x):\n    return (2 *", "def double(x):\n    return (2 *"),
        ("Here:\ndef double(x) return 2\n", "def double(x) return 2\n"),
        ("def is a keyword, and class is another.", None),
        ("```python\ndef double(x):\n    return (2 *", "def double(x):\n    return (2 *"),
        ("I am sorry, but I cannot help with that.", None),
        ("", None),
        ("   \n", None),
        ("```python\n```", None),
        ("```bash\nls\n```", None),
        ("42", None),
        ("x" * (LONGEST_ANSWER + 1), None),
        (CODE + "\0", None),
        ("(" * 50_000, None),
        ("(\n" * 40_000, None),
        ("#\n" * 40_000, None),
        ("def f(\n" * 10_000, "def f(\n" * 10_000),
        ("x = " + "-" * 90_000 + "1", None),
    ],
)
def test_the_program_in_an_answer(answer, program):
    assert read_program(answer, DOUBLE) == program


def test_the_question_repeated_is_left_out():
    prompt = "Write a function to double a number.\ndef f(): wrong"
    assert read_program(f"{prompt}\n{CODE}", DOUBLE, prompt) == CODE


@pytest.mark.parametrize(
    ("answer", "program"),
    [
        ("    return 2 * x\n", f"{BEGINNING}    return 2 * x\n"),
        ("return 2 * x", f"{BEGINNING}    return 2 * x"),
        ("    y = x\n    return y\n\n\nNow you", f"{BEGINNING}    y = x\n    return y\n\n"),
        ("```python\n    return 2 * x\n```", f"{BEGINNING}    return 2 * x"),
        (CODE, f"{BEGINNING}\n\n{CODE}"),
        (f"```python\n{CODE}\n```", f"{BEGINNING}\n\n{CODE}"),
        (f"{BEGINNING}    return 2 * x\n", f"{BEGINNING}\n\n{BEGINNING}    return 2 * x\n"),
        ("", None),
    ],
)  # fmt: skip
def test_the_beginning_of_a_function_is_gone_on_with(answer, program):
    assert read_program(answer, BEGUN) == program


@given(st.text(alphabet="ab =\n()`:#~\"'\t dfe1", max_size=200))
def test_any_answer_is_read(answer):
    program = read_program(answer, DOUBLE)
    assert program is None or program.strip()
    begun = read_program(answer, BEGUN)
    assert begun is None or begun.startswith(BEGINNING.rstrip())


@given(st.text(alphabet="ab =\n()[]:#\"' 1", max_size=80))
def test_the_longest_python_is_python_and_a_beginning(text):
    found = longest_python(text)
    assert text.startswith(found)
    compile(found, "", "exec", flags=1024)


def test_what_a_source_defines():
    assert defines("def f(): pass", "f")
    assert defines("f = print", "f")
    assert defines("class f: pass", "f")
    assert not defines("def g():\n    def f(): pass", "f")
    assert not defines("def f(", "f")
