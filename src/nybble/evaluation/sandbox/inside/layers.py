"""The layers of protection by their names in verdicts and reports, as docs/sandbox.md has them."""

NAMESPACES = "process and network namespaces"
FILES = "own file system"
USER = "unprivileged user"
LANDLOCK = "landlock"
SECCOMP = "seccomp"
LIMITS = "limits"
