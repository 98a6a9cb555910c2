"""Where namespaces are refused, as in many containers, Landlock and seccomp hold alone."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nybble.evaluation import sandbox

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("setpriv") is None,
        reason="needs root and setpriv, to run without root's rights",
    ),
]

WITHOUT_RIGHTS = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
SCRIPT = """
import json, sys
from nybble.evaluation import sandbox
verdicts = [sandbox.run(program) for program in json.load(sys.stdin)]
print(json.dumps([[v.passed, v.reason, v.output, v.protection] for v in verdicts]))
"""
REFUSED = (
    "open({outside!r}).read()",
    "open({outside!r}, 'w')",
    "import os; os.remove({outside!r})",
    "open('/dev/shm/evil', 'w')",
    "open('/proc/self/environ').read()",
    "import os; os.fork()",
    "import os; os.kill(os.getppid(), 9)",
    "import os, resource; resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (0, 0))",
    "import fcntl, os; fcntl.fcntl(0, fcntl.F_SETOWN, os.getppid())",
    "import socket; socket.socket()",
    "import shutil, os; shutil.rmtree(os.getcwd())",
)


def test_programs_are_held_without_namespaces(tmp_path):
    if not {"landlock", "seccomp"} <= set(sandbox.protection()):
        pytest.skip("this kernel has no Landlock or no seccomp")
    outside = tmp_path / "outside"
    outside.write_text("secret")
    allowed = "open('own', 'w').write('x')\nimport os\nprint(os.listdir('.'), os.getcwd())"
    programs = [allowed, *(program.format(outside=str(outside)) for program in REFUSED)]
    ran = subprocess.run(
        [*WITHOUT_RIGHTS, sys.executable, "-c", SCRIPT],
        input=json.dumps(programs),
        capture_output=True,
        text=True,
        check=True,
    )
    (passed, reason, output, protection), *refused = json.loads(ran.stdout)
    assert passed, reason
    assert output.startswith("['own']")
    assert "process and network namespaces" not in protection
    assert "own file system" not in protection
    assert {"landlock", "seccomp", "limits"} <= set(protection)
    for program, (passed, reason, _, _) in zip(REFUSED, refused, strict=True):
        assert not passed, program
        assert reason.startswith("PermissionError"), (program, reason)
    assert outside.read_text() == "secret"
    assert not Path(output.split()[1]).exists()
