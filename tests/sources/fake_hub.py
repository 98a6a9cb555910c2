"""A Hub of our own: an HTTP server that speaks what huggingface_hub asks for in a download.

GET  /api/{models|datasets}/OWNER/NAME/revision/REVISION   which commit that is
GET  /api/{models|datasets}/OWNER/NAME/tree/COMMIT         its files and their sizes
HEAD /[datasets/]OWNER/NAME/resolve/COMMIT/FILE            ETag, commit and size
GET  the same                                              the bytes, or a range of them
"""

import hashlib
import json
import re
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from ..local_server import Handler, serving

_API = re.compile(r"/api/(models|datasets)/([^/]+/[^/]+)/(revision|tree)/(.+)")
_FILE = re.compile(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)")


@dataclass
class Repository:
    """Files by revision, and how the Hub is to misbehave over them."""

    revisions: dict[str, dict[str, bytes]]
    kind: str = "models"
    gated_info: bool = False
    gated_files: bool = False
    status: int = 200
    message: str = ""
    cut_once: str = ""
    reset_once: str = ""
    busy: int = 0
    cut_files: set[str] = field(default_factory=set)

    def commit(self, revision: str) -> str | None:
        """The commit hash of a branch or of itself."""
        commits = {name: hashlib.sha1(name.encode()).hexdigest() for name in self.revisions}
        return revision if revision in commits.values() else commits.get(revision)

    def files(self, revision: str) -> dict[str, bytes]:
        commit = self.commit(revision)
        return next(files for name, files in self.revisions.items() if self.commit(name) == commit)


@dataclass
class FakeHub:
    """The server's address, its repositories, and what it was asked: (method, path, Range)."""

    repositories: dict[str, Repository]
    url: str = ""
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)

    def asked(self, part: str) -> list[tuple[str, str, str | None]]:
        """The requests whose path contains `part`."""
        return [request for request in self.requests if part in request[1]]


@contextmanager
def running(repositories: dict[str, Repository]) -> Iterator[FakeHub]:
    """The server, on a free port of this machine, for as long as the block lasts."""
    hub = FakeHub(repositories)
    with serving(_Handler, hub) as hub.url:
        yield hub


class _Handler(Handler):
    hub: FakeHub

    def answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append((self.command, path, self.headers.get("Range")))
        if match := _API.fullmatch(path):
            self._api(*match.groups())
        elif match := _FILE.fullmatch(path):
            self._file("datasets" if match[1] else "models", match[2], match[3], match[4])
        else:
            self._answer(404, b"")

    def _repository(self, kind: str, name: str, revision: str) -> Repository | None:
        """The repository when it may be seen; otherwise the refusal has been sent."""
        repository = self.hub.repositories.get(name)
        if repository is None or repository.kind != kind:
            self._answer(404, b"", {"X-Error-Code": "RepoNotFound"})
        elif repository.busy:
            repository.busy -= 1
            self._answer(429, b"", {"Retry-After": "0"})
        elif repository.status != 200:
            self._answer(repository.status, b"", {"X-Error-Message": repository.message})
        elif repository.commit(revision) is None:
            self._answer(404, b"", {"X-Error-Code": "RevisionNotFound"})
        else:
            return repository
        return None

    def _api(self, kind: str, name: str, what: str, revision: str) -> None:
        repository = self._repository(kind, name, revision)
        if repository is None:
            return
        if repository.gated_info:
            self._answer(403, b"", {"X-Error-Code": "GatedRepo"})
        elif what == "revision":
            self._json({"id": name, "sha": repository.commit(revision)})
        else:
            self._json(
                [
                    {"type": "file", "path": path, "size": len(content), "oid": _etag(content)}
                    for path, content in repository.files(revision).items()
                ]
            )

    def _file(self, kind: str, name: str, revision: str, path: str) -> None:
        repository = self._repository(kind, name, revision)
        if repository is None:
            return
        content = repository.files(revision).get(path)
        if content is None:
            self._answer(404, b"", {"X-Error-Code": "EntryNotFound"})
            return
        if repository.gated_files:
            self._answer(403, b"", {"X-Error-Code": "GatedRepo"})
            return
        headers = {
            "ETag": f'"{_etag(content)}"',
            "X-Repo-Commit": repository.commit(revision) or "",
        }
        begin = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if begin:
            total = len(content)
            headers["Content-Range"] = f"bytes {begin[1]}-{total - 1}/{total}"
            self._answer(206, content[int(begin[1]) :], headers)
        elif (
            path == repository.cut_once
            and self.command == "GET"
            and path not in repository.cut_files
        ):
            repository.cut_files.add(path)
            self._answer(200, content, headers, sent=len(content) // 2)
        elif path == repository.reset_once and self.command == "GET":
            repository.reset_once = ""
            self._answer(200, content, headers, sent=len(content) // 2)
            # Closed with nothing lingering, a connection is reset, not ended.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        else:
            self._answer(200, content, headers)

    def _json(self, value: object) -> None:
        self._answer(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _answer(
        self,
        status: int,
        body: bytes,
        headers: dict[str, str] | None = None,
        sent: int | None = None,
    ) -> None:
        """Answer with `body`, or with its first `sent` bytes before hanging up."""
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[:sent])
        if sent is not None:
            self.close_connection = True


def _etag(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()
