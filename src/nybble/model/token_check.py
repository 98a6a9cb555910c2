"""The Hugging Face token: where it was found and what it may do. Its value is never shown.

Public models need none. The places are looked at here, not through `huggingface_hub.get_token`:
that may go to the network to renew a token, and the network is for `--online` only.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nybble.model.finding import Finding
from nybble.runs.errors import NybbleError
from nybble.sources.token import ENV_FILE, VARIABLES, env_file_value, hub_token

NO_TOKEN = (
    "Only gated and private models need one: `hf auth login`, or set HF_TOKEN to one from "
    "https://huggingface.co/settings/tokens."
)


def token_findings(environment: Mapping[str, str], online: bool) -> list[Finding]:
    """Where the token is, and with `online` whose it is and what it may do."""
    from huggingface_hub import constants

    place = token_place(environment, Path(constants.HF_TOKEN_PATH), ENV_FILE)
    if place is None:
        return [Finding("Hugging Face token", "note", "none", NO_TOKEN)]
    found = Finding("Hugging Face token", "ok", f"in {place}")
    return [found, scope_finding()] if online else [found]


def token_place(
    environment: Mapping[str, str], file: Path, env_file: Path = ENV_FILE
) -> str | None:
    """The variable or file that the token is taken from, `file` being the login's; or None."""
    for name in VARIABLES:
        if environment.get(name, "").strip():
            return f"the environment variable {name}"
    try:
        logged_in = bool(file.read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError):
        logged_in = False
    if logged_in:
        return str(file)
    return f"the file {env_file}" if env_file_value(env_file, VARIABLES) else None


def scope_finding() -> Finding:
    """What the Hub says of the token. Asks https://huggingface.co, or where HF_ENDPOINT says."""
    from huggingface_hub import HfApi, constants

    from nybble.sources.hub_errors import hub_errors

    constants.HF_HUB_DISABLE_TELEMETRY = True
    try:
        with hub_errors("of the token", "main"):
            return answer_finding(HfApi(token=hub_token()).whoami())
    except NybbleError as error:
        return Finding("token's scope", "note", error.message, error.fix)


def answer_finding(answer: Mapping[str, Any]) -> Finding:
    """The finding for what the Hub's `whoami` answered: read suffices, write is for pushing."""
    role = ((answer.get("auth") or {}).get("accessToken") or {}).get("role") or "unknown"
    found = f"{role}, of {answer.get('name', 'unknown')}"
    if role == "read":
        return Finding("token's scope", "ok", f"{found}: fetches, cannot push")
    if role == "fineGrained":
        return Finding("token's scope", "ok", f"{found}: as chosen for each repository")
    return Finding("token's scope", "ok", found)
