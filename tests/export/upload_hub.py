"""A Hub of our own for uploads: what huggingface_hub asks for when it creates and commits.

POST /api/repos/create                            the repository, 409 when it is there
POST /api/validate-yaml                           whether the card's front matter is right
GET  /api/models/OWNER/NAME                       whether it is private
GET  /api/models/OWNER/NAME/tree/BRANCH           its files
POST /api/models/OWNER/NAME/branch/BRANCH         a branch
POST /api/models/OWNER/NAME/preupload/BRANCH      which files go through LFS
POST /OWNER/NAME.git/info/lfs/objects/batch       where to put them
PUT  /lfs/OID, POST /lfs/OID                      the bytes; whether they came
POST /api/models/OWNER/NAME/commit/BRANCH         the commit, as lines of JSON

Data sets likewise, with `datasets` for `models`.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

import yaml

from ..local_server import Handler, serving

_MODEL = re.compile(
    r"/api/(?:models|datasets)/([^/]+/[^/]+)(?:/(branch|preupload|commit|tree)/(.+))?"
)
_BATCH = re.compile(r"/(?:datasets/)?([^/]+/[^/]+)\.git/info/lfs/objects/batch")
_LFS = re.compile(r"/lfs/([0-9a-f]{64})")


@dataclass
class Uploaded:
    """A repository: who sees it, and its files by branch."""

    private: bool
    commits: list[dict[str, bytes]] = field(default_factory=list)
    branches: dict[str, dict[str, bytes]] = field(default_factory=lambda: {"main": {}})


@dataclass
class UploadHub:
    """`owned` names may be written by `token`; any other is 403, any other token 401.

    The first `drops` commits end without an answer, the next `busy` ones with 429; the first
    `put_drops` uploads break off. Where `hasty`, the first request of each kind gets 429.
    """

    token: str
    owned: str
    status: int = 200
    message: str = ""
    url: str = ""
    drops: int = 0
    busy: int = 0
    put_drops: int = 0
    hasty: bool = False
    met: set[tuple[str, str]] = field(default_factory=set)
    repositories: dict[str, Uploaded] = field(default_factory=dict)
    stored: dict[str, bytes] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)


@contextmanager
def running(hub: UploadHub) -> Iterator[UploadHub]:
    """The server, on a free port of this machine, for as long as the block lasts."""
    with serving(_Handler, hub) as hub.url:
        yield hub


class _Handler(Handler):
    hub: UploadHub

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append((self.command, path))
        if match := _LFS.fullmatch(path):
            self._lfs(match[1], body)
        elif self.hub.hasty and (self.command, path) not in self.hub.met:
            self.hub.met.add((self.command, path))
            self._answer(429, {"error": "slow down"}, {"Retry-After": "0"})
        elif self.headers.get("Authorization") != f"Bearer {self.hub.token}":
            self._answer(401, {"error": "Invalid username or password."})
        elif self.hub.status != 200:
            self._answer(self.hub.status, {"error": self.hub.message})
        elif path == "/api/repos/create":
            self._create(json.loads(body))
        elif path == "/api/validate-yaml":
            front = json.loads(body)["content"].split("---")[1]
            right = isinstance(yaml.safe_load(front), dict)
            self._answer(200 if right else 400, {"errors": [], "warnings": []})
        elif match := _BATCH.fullmatch(path):
            self._batch(json.loads(body))
        elif (match := _MODEL.fullmatch(path)) and match[1] in self.hub.repositories:
            self._model(match[1], match[2], match[3], body)
        else:
            self._answer(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})

    def _create(self, wanted: dict) -> None:
        name = f"{wanted['organization']}/{wanted['name']}"
        place = "datasets/" if wanted.get("type") == "dataset" else ""
        url = {"url": f"{self.hub.url}/{place}{name}"}
        if wanted["organization"] != self.hub.owned:
            message = f"You don't have the rights to create a model under {wanted['organization']}"
            self._answer(403, {"error": message}, {"X-Error-Message": message})
        elif name in self.hub.repositories:
            self._answer(409, url | {"error": "You already created this model repo"})
        else:
            private = wanted.get("private") or wanted.get("visibility") == "private"
            self.hub.repositories[name] = Uploaded(bool(private))
            self._answer(200, url)

    def _model(self, name: str, what: str | None, branch: str, body: bytes) -> None:
        repository = self.hub.repositories[name]
        if what is None:
            self._answer(200, {"id": name, "private": repository.private, "sha": "0" * 40})
        elif what == "branch":
            known = repository.branches.setdefault(branch, dict(repository.branches["main"]))
            self._answer(201, {"files": len(known)})
        elif branch not in repository.branches:
            self._answer(404, {"error": "no"}, {"X-Error-Code": "RevisionNotFound"})
        elif what == "tree":
            files = repository.branches[branch]
            sizes = {path: len(content) for path, content in files.items()}
            self._answer(
                200,
                [{"type": "file", "path": p, "size": n, "oid": "0" * 40} for p, n in sizes.items()],
            )
        elif what == "preupload":
            files = [
                {"path": file["path"], "shouldIgnore": False, "oid": None,
                 "uploadMode": "lfs" if file["path"].endswith(".safetensors") else "regular"}
                for file in json.loads(body)["files"]
            ]  # fmt: skip
            self._answer(200, {"files": files})
        elif self.hub.drops:
            self.hub.drops -= 1
            self.close_connection = True
        elif self.hub.busy:
            self.hub.busy -= 1
            self._answer(429, {"error": "slow down"}, {"Retry-After": "0"})
        else:
            self._commit(repository.branches[branch], body)
            repository.commits.append(dict(repository.branches[branch]))

    def _batch(self, wanted: dict) -> None:
        objects = []
        for item in wanted["objects"]:
            href = f"{self.hub.url}/lfs/{item['oid']}"
            actions = {"upload": {"href": href}, "verify": {"href": href}}
            there = item["oid"] in self.hub.stored
            objects.append(item if there else item | {"actions": actions})
        self._answer(200, {"transfer": "basic", "objects": objects})

    def _lfs(self, oid: str, body: bytes) -> None:
        if self.command == "PUT" and self.hub.put_drops:
            self.hub.put_drops -= 1
            self.close_connection = True
            return
        if self.command == "PUT":
            assert hashlib.sha256(body).hexdigest() == oid
            self.hub.stored[oid] = body
        self._answer(200 if oid in self.hub.stored else 404, {})

    def _commit(self, files: dict[str, bytes], body: bytes) -> None:
        for line in body.splitlines():
            item = json.loads(line)
            value = item["value"]
            if item["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif item["key"] == "lfsFile":
                files[value["path"]] = self.hub.stored[value["oid"]]
            elif item["key"] == "deletedFile":
                del files[value["path"]]
        self._answer(200, {"commitUrl": f"{self.hub.url}/me/x/commit/1", "commitOid": "1" * 40})

    def _answer(
        self, status: int, value: dict | list, headers: dict[str, str] | None = None
    ) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        for name, text in (headers or {}).items():
            self.send_header(name, text)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
