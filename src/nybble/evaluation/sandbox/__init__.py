"""Runs programs that nobody has read, apart from the machine, and says whether they pass.

verdict = sandbox.run("def double(x): return 2 * x", tests=["assert double(2) == 4"])
assert verdict.passed, verdict.reason
"""

from nybble.evaluation.sandbox.host import DEFAULT_LIMITS, protection, run
from nybble.evaluation.sandbox.starter import Starter
from nybble.evaluation.sandbox.verdict import Assertion, Limits, Verdict

__all__ = ["DEFAULT_LIMITS", "Assertion", "Limits", "Starter", "Verdict", "protection", "run"]
