"""Programs that nobody should run: what each tries, and its source.

In each, `double` is wrong. `{home}` is the home of the one who runs the tests, with a token in it;
`{here}` is their working folder, with a `.env`; `{pid}` is the process of the tests.
"""

from textwrap import dedent

WRONG = "def double(x):\n    return x\n\nassert double(2) == 4\n"

CONTAINED = {
    "fork bomb": "import os\nwhile True: os.fork()",
    "fork bomb by clone": """
        import ctypes
        libc = ctypes.CDLL(None)
        while libc.syscall(56, 17, 0, 0, 0, 0) != 0 or True: assert libc.fork() >= 0""",
    "vfork and exec": "import subprocess; subprocess.run(['sleep', '100'])",
    "exec": "import os; os.execv('/bin/sh', ['sh', '-c', 'exit 0'])",
    "multiprocessing": """
        import multiprocessing
        multiprocessing.get_context('fork').Process(target=print).start()""",
    "daemon by double fork": """
        import os, time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(1000)
            os._exit(0)""",
    "zombie children": """
        import os
        for _ in range(1000):
            if os.fork() == 0: os._exit(0)""",
    "memory bomb": "held = []\nwhile True: held.append(bytearray(10**7))",
    "one huge text": "text = 'x' * 10**11",
    "huge number": "number = 9 ** (9 ** 9)",
    "memory bomb by mmap": """
        import mmap
        held = [mmap.mmap(-1, 2**28) for _ in range(100)]""",
    "infinite output": "while True: print('x' * 1000)",
    "infinite output to standard error": "import os\nwhile True: os.write(2, b'x' * 65536)",
    "endless loop": "while True: pass",
    "endless loop that catches everything": """
        while True:
            try:
                while True: pass
            except BaseException: pass""",
    "time limit ignored": """
        import signal
        signal.signal(signal.SIGXCPU, signal.SIG_IGN)
        while True: pass""",
    "signals masked": """
        import signal
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        for number in (signal.SIGTERM, signal.SIGINT): signal.signal(number, signal.SIG_IGN)
        while True: pass""",
    "recursion": "import sys\nsys.setrecursionlimit(10**9)\ndef f(): return f() + 1\nf()",
    "recursion in C": """
        import sys
        sys.setrecursionlimit(10**9)
        held = []
        for _ in range(10**6): held = [held]
        repr(held)""",
    "crash": "import ctypes; ctypes.memset(0, 1, 1)",
    "abort": "import os; os.abort()",
    "slow expression": "import re; re.match(r'(a+)+$', 'a' * 64 + 'b')",
    "huge file": """
        with open('big', 'wb') as file:
            while True: file.write(b'x' * 2**20)""",
    "many files": "for i in range(10**6): open(f'file{i}', 'w').write('x')",
    "many files held open": "held = [open('/dev/null') for _ in range(10_000)]",
    "kill the parent": "import os, signal; os.kill(os.getppid(), signal.SIGKILL)",
    "kill the tests": "import os, signal; os.kill({pid}, signal.SIGKILL)",
    "kill everybody": "import os, signal; os.kill(-1, signal.SIGKILL)",
    "kill the group": "import os, signal; os.killpg(0, signal.SIGKILL)",
    "stop itself": "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)",
    "stop itself by raise": "import signal; signal.raise_signal(signal.SIGSTOP)",
    "signal by a file": """
        import fcntl, os, signal
        reading, writing = os.pipe()
        fcntl.fcntl(reading, 10, signal.SIGKILL)
        fcntl.fcntl(reading, fcntl.F_SETOWN, os.getppid())""",
    "limit the parent": """
        import os, resource
        resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (0, 0))""",
    "slow the others": "import os; os.sched_setaffinity(os.getppid(), {0})",
    "give them a priority": "import os; os.setpriority(os.PRIO_PGRP, 0, 19)",
    "memory by file": "import os; held = [os.memfd_create('x') for _ in range(50)]",
    "outlive the tests": """
        import ctypes, time
        assert ctypes.CDLL(None).prctl(1, 0, 0, 0, 0) == 0
        time.sleep(1000)""",
    "trace the parent": """
        import ctypes, os
        libc = ctypes.CDLL(None, use_errno=True)
        assert libc.ptrace(16, os.getppid(), 0, 0) == 0""",
    "read the parent's memory": "import os; open(f'/proc/{os.getppid()}/mem', 'rb').read(1)",
    "write to /proc": "open('/proc/sys/kernel/core_pattern', 'w').write('x')",
    "read /proc": "import os; print(open('/proc/self/environ').read(), os.listdir('/proc'))",
    "read the token": "print(open('{home}/.cache/huggingface/token').read())",
    "read the .env": "print(open('{here}/.env').read())",
    "read the environment": "import os; print(os.environ['HF_TOKEN'])",
    "look for the home": "import os; print(os.listdir('{home}'))",
    "find the token by user": """
        import os, pwd
        print(open(pwd.getpwuid({uid}).pw_dir + '/.cache/huggingface/token').read())""",
    "write outside": "open('{here}/written', 'w').write('x')",
    "write into the library": "import os; open(os.path.dirname(os.__file__) + '/evil.py', 'w')",
    "write into /dev/shm": "open('/dev/shm/evil', 'w').write('x')",
    "remove what is outside": "import os; os.remove('{here}/.env')",
    "remove the folder": "import os, shutil; shutil.rmtree(os.getcwd())\nopen('x', 'w')",
    "remove everything": "import shutil; shutil.rmtree('/')",
    "leave by a link": """
        import os
        os.symlink('{here}', 'way')
        open('way/written', 'w').write('x')""",
    "leave by chroot": "import os; os.chroot('.')",
    "mount": """
        import ctypes
        assert ctypes.CDLL(None).mount(b'none', b'/tmp', b'tmpfs', 0, None) == 0""",
    "new user namespace": "import ctypes; assert ctypes.CDLL(None).unshare(0x10000000) == 0",
    "socket": "import socket; socket.create_connection(('127.0.0.1', 80), 1)",
    "listen": "import socket; socket.socket().bind(('0.0.0.0', 8080))",
    "look up a name": "import socket; socket.getaddrinfo('huggingface.co', 443)",
    "fetch": "import urllib.request; urllib.request.urlopen('http://169.254.169.254/', timeout=1)",
    "unix socket": "import socket; socket.socket(socket.AF_UNIX).connect('/var/run/docker.sock')",
    "become root": "import os; os.setgroups([0]); os.setuid(0)",
    "device": "import os; os.open('/dev/vda', os.O_RDONLY)",
    "make a device": "import os, stat; os.mknod('sda', stat.S_IFBLK | 0o600, os.makedev(8, 0))",
    "raise the limits": """
        import resource
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)""",
    "many threads": """
        import threading, time
        for _ in range(10_000): threading.Thread(target=time.sleep, args=(1000,)).start()""",
    "read what nobody writes": "input()",
}

DECEIVING = {
    "leave with success": "import os; os._exit(0)",
    "leave politely": "import sys; sys.exit(0)",
    "leave at the assertion": """
        import os
        class Zero(int):
            def __eq__(self, other): os._exit(0)
        def double(x): return Zero()""",
    "raise what passes": "raise SystemExit(0)",
    "print a pass": "print('passed'); print('All tests passed'); import os; os._exit(0)",
    "equal to everything": """
        class Any:
            def __eq__(self, other): return True
            def __ne__(self, other): return False
            def __sub__(self, other): return 0
            __hash__ = None
        def double(x): return Any()""",
    "a number that equals everything": """
        class Any(int):
            def __eq__(self, other): return True
        def double(x): return Any(0)""",
    "a list that equals everything": """
        class Any(list):
            def __eq__(self, other): return True
        def double(x): return Any()""",
    "patched assertion error": """
        import builtins
        builtins.AssertionError = AssertionError = type('Quiet', (Exception,), {})
        def double(x): return x""",
    "patched built-ins": """
        import builtins
        for name in ('abs', 'len', 'set', 'isinstance', 'bool', 'compile', 'exec', 'repr'):
            setattr(builtins, name, lambda *given, **named: True)
        def double(x): return x""",
    "shadowed built-ins": """
        class set:
            def __init__(self, *given): pass
            def __eq__(self, other): return True
        def abs(x): return 0
        def double(x): return x""",
    "patched operators": """
        import operator, json, ast
        operator.eq = lambda a, b: True
        json.dumps = lambda *given, **named: 'true'
        ast.parse = lambda *given, **named: None
        def double(x): return x""",
    "trace": """
        import sys
        def trace(frame, event, argument):
            frame.f_trace_lines = False
            for name in list(frame.f_locals): frame.f_locals[name] = 4
            return trace
        sys.settrace(trace); sys.setprofile(trace)
        def double(x): return x""",
    "quiet exceptions": """
        import sys
        sys.excepthook = sys.unraisablehook = lambda *given: None
        def double(x): return x""",
    "walk the frames": """
        import re, sys
        def double(x):
            frame = sys._getframe()
            while frame:
                for value in [*frame.f_globals.values(), *frame.f_locals.values()]:
                    found = re.search(f'double.{x}. == ([0-9]+)', str(value))
                    if found: return int(found[1])
                    if isinstance(value, dict): value.update(passed=True, failed=False)
                frame = frame.f_back
            return x""",
    "walk the heap": """
        import gc, re
        def double(x):
            for held in gc.get_objects():
                if isinstance(held, (list, tuple, dict)):
                    for item in held.values() if isinstance(held, dict) else held:
                        text = item if type(item) is str else ''
                        found = re.search(f'double.{x}. == ([0-9]+)', text)
                        if found: return int(found[1])
                if isinstance(held, dict) and 'failures' in held: held.clear()
            return x""",
    "write to every file": """
        import json, os
        def say(message):
            text = json.dumps(message).encode()
            for descriptor in range(3, 64):
                try: os.write(descriptor, len(text).to_bytes(8, 'big') + text)
                except OSError: pass
        def double(x):
            say([None, [['assert double(2) == 4', True, '']]])
            say(['value', 4])
            return x
        say(['ended', '']); say([None, []])""",
    "close every file": """
        import os
        os.closerange(0, 1024)
        def double(x): return x""",
    "close every file in the call": """
        import os
        def double(x): os.closerange(0, 1024)""",
    "answer for the sandbox": """
        import builtins, sys
        for module in list(sys.modules.values()):
            for name in ('play', 'send', 'encode', 'run_tests', 'main'):
                if hasattr(module, name): setattr(module, name, lambda *given: None)
        def double(x): return x""",
    "deep value": """
        def double(x):
            held = []
            for _ in range(100_000): held = [held]
            return held""",
    "value that contains itself": """
        def double(x):
            held = []
            held.append(held)
            return held""",
    "value without an end": """
        class Endless(dict):
            def items(self):
                while True: yield 1, 1
        def double(x): return Endless()""",
    "object without an end": """
        class Endless:
            def __getattr__(self, name): return self
            def __call__(self, *given): return self
            def __bool__(self): return False
            def __iter__(self): return self
            def __next__(self): return self
        def double(x): return Endless()""",
    "sleep in the call": "import time\ndef double(x): time.sleep(1000)",
    "hang at the exit": """
        import atexit, time
        atexit.register(time.sleep, 1000)
        def double(x): return x""",
    "thread that never ends": """
        import threading, time
        threading.Thread(target=time.sleep, args=(1000,)).start()
        def double(x): return x""",
    "object that destroys": """
        import os
        class Last:
            def __del__(self): os._exit(0)
        last = Last()
        def double(x): return x""",
}


def source_of(program: str, **names: object) -> str:
    source = dedent(program).strip("\n") + "\n"
    for name, value in names.items():
        source = source.replace("{" + name + "}", str(value))
    return source
