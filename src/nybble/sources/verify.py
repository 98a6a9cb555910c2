"""Is the folder of a model or an adapter whole? Nothing is downloaded to answer that."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from nybble.sources.checks import Check, adapter_checks, model_checks
from nybble.sources.models import check_adapter, locate_on_disk


@dataclass(frozen=True)
class Verdict:
    """Every file that `folder` needs, and those that it may have."""

    folder: Path
    kind: Literal["model", "adapter"]
    checks: tuple[Check, ...]

    @property
    def whole(self) -> bool:
        return not any(check.error for check in self.checks)

    @property
    def fixes(self) -> list[str]:
        """What to do, each thing once."""
        return list(dict.fromkeys(check.error.fix for check in self.checks if check.error))

    def as_json(self) -> dict[str, Any]:
        files = [
            {"file": check.file, "status": check.status, "found": check.found}
            for check in self.checks
        ]
        return {
            "folder": str(self.folder),
            "kind": self.kind,
            "whole": self.whole,
            "files": files,
            "fixes": self.fixes,
        }


def verify(name: str, revision: str) -> Verdict:
    """Check every file of the model or adapter `name`: bundled, a folder, or a Hub repository.

    Of a repository on the Hub, the copy of `revision` in the cache is looked at. Raises
    `InputError` when there is no such folder or no such copy, and for the folder of a run, which
    is neither a model nor an adapter.
    """
    folder = locate_on_disk(name, revision)
    has_config = (folder / "config.json").is_file()
    if not has_config and (folder / "adapter_config.json").is_file():
        return Verdict(folder, "adapter", tuple(adapter_checks(folder)))
    if not has_config and (folder / "adapter").is_dir():
        check_adapter(folder)  # says where the adapter of a run lies
    return Verdict(folder, "model", tuple(model_checks(folder)))
