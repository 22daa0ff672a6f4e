"""Whether a branch has policies: what is known with the run, else what GitHub says of it."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

from sluice.plugin import CheckRun, Connection, LinkedRepository, Probe, Secret, VerificationError, basic

HEADS = "refs/heads/"
HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
SECONDS = 10.0
_BODY = 1 << 20
_GITHUB = frozenset({"github", "githubenterprise"})
_NAME = re.compile(r"[\w.-]{1,100}/[\w.-]{1,100}", re.ASCII)
_KEYS = ("InstallationAccessToken", "AccessToken", "apitoken")


def is_protected(run: CheckRun, repository: LinkedRepository) -> tuple[bool | None, str]:
    """Whether its branch is protected, None when that cannot be known; and then why."""
    if repository.protected is not None:
        return repository.protected, ""
    if not repository.branch:
        return None, ""
    if not repository.branch.startswith(HEADS):
        return False, ""  # a tag or a merge of a pull request is under no policy of a branch
    if repository.type.casefold() not in _GITHUB or not repository.endpoint:
        return None, ""
    if not _NAME.fullmatch(repository.name) or {".", ".."} & set(repository.name.split("/")):
        return None, f"'{repository.name}' is no repository of GitHub"
    if not _is_permitted(run, repository.endpoint):
        return None, f"the stage uses no service connection '{repository.endpoint}'"
    try:
        return _ask(run.connection(repository.endpoint), repository)
    except VerificationError as error:
        return None, error.what


def _is_permitted(run: CheckRun, endpoint: str) -> bool:
    """Whether the stage may use the connection: a check opens none that a pipeline only names."""
    wanted = endpoint.casefold()
    return any(
        one.kind == "endpoint" and wanted in {one.name.casefold(), one.id.casefold()} for one in run.facts.resources
    )


def _ask(connection: Connection, repository: LinkedRepository) -> tuple[bool | None, str]:
    if connection.type.casefold() not in _GITHUB:
        return None, f"'{connection.name}' is no connection to GitHub"
    branch = quote(repository.branch.removeprefix(HEADS), safe="")
    probe = Probe(connection=connection, authorization=_authorization(connection), headers=HEADERS, seconds=SECONDS)
    answer = probe.ask(f"{_api(connection)}repos/{quote(repository.name)}/branches/{branch}", limit=_BODY)
    body = answer.json()
    protected = body.get("protected") if answer.ok and isinstance(body, dict) else None
    if isinstance(protected, bool):
        return protected, ""
    return None, f"{answer.origin} answered {answer.shown}"


def _api(connection: Connection) -> str:
    base = connection.url or "https://github.com"
    if urlsplit(base).hostname == "github.com":
        return "https://api.github.com/"
    return f"{base.rstrip('/')}/api/v3/"


def _authorization(connection: Connection) -> Secret | None:
    token = next((found for key in _KEYS if (found := connection.secret(key))), None)
    if token:
        return basic("token", token)
    password = connection.secret("password")
    return basic(connection.text("username"), password) if password else None
