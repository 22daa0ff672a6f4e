"""Required template: the pipeline extends one of the templates that are listed."""

from __future__ import annotations

import json
import posixpath
from typing import NamedTuple

from sluice.plugin import CheckRun, Decision, Proposed, SluiceError

TYPES = {
    "git": "git",
    "azuregit": "git",
    "tfsgit": "git",
    "github": "github",
    "githubenterprise": "githubenterprise",
    "bitbucket": "bitbucket",
}
_KEYS = ("repositoryType", "repositoryName", "repositoryRef", "templatePath")
_MOST = 100
_SAMPLE = "[{" + ", ".join(f'"{key}": "..."' for key in _KEYS) + "}]"


class Place(NamedTuple):
    """Where a template is, in the one spelling in which places are compared."""

    type: str
    repository: str
    ref: str
    path: str

    def __str__(self) -> str:
        return f"{self.path}@{self.repository} at {self.ref}"


def evaluate(run: CheckRun) -> Decision:
    """Passes when any template of the chain that the pipeline extends is any of those listed."""
    wanted = _listed(run.setting("extendsChecks"))
    project = run.facts.project
    allowed = {place(*entry, project=project) for entry in wanted}
    chain = [
        place(one.repository_type, one.repository_name, one.ref, one.path, project=project) for one in run.facts.extends
    ]
    if found := next((one for one in chain if one in allowed), None):
        return Decision.approved(f"the pipeline extends {found}")
    needed = " or ".join(sorted(map(str, allowed)))
    extends = f"it extends {', '.join(map(str, chain))}" if chain else "it extends no template"
    return Decision.rejected(f"the pipeline does not extend the required template {needed}: {extends}")


def problems(proposed: Proposed) -> tuple[str, ...]:
    """Why the list cannot be read."""
    setting = proposed.settings.get("extendsChecks", "")
    try:
        _listed(setting if isinstance(setting, str) else "")
    except SluiceError as error:
        return (f"extendsChecks: {error.what}",)
    return ()


def place(repository_type: str, repository: str, ref: str, path: str, *, project: str) -> Place:
    """A place in its one spelling: `repo` of Azure Repos lies in the run's project, `main` is `refs/heads/main`."""
    kind = TYPES.get(repository_type.strip().casefold(), repository_type.strip().casefold())
    name = repository.strip().strip("/").casefold()
    if kind == "git" and "/" not in name:
        name = f"{project.casefold()}/{name}"
    ref = ref.strip()
    return Place(
        kind,
        name,
        ref if not ref or ref.startswith("refs/") else f"refs/heads/{ref}",
        posixpath.normpath("/" + path.strip().replace("\\", "/")).lstrip("/"),
    )


def _listed(text: str) -> list[tuple[str, str, str, str]]:
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError):
        raise SluiceError(f"it is no JSON; write {_SAMPLE}") from None
    if not isinstance(entries, list) or not 0 < len(entries) <= _MOST:
        raise SluiceError(f"it is no list of 1 to {_MOST} templates")
    return [_entry(entry) for entry in entries]


def _entry(entry: object) -> tuple[str, str, str, str]:
    known = {str(key).casefold(): value for key, value in entry.items()} if isinstance(entry, dict) else {}
    values = []
    for key in _KEYS:
        value = known.get(key.casefold())
        if not isinstance(value, str) or not value.strip():
            raise SluiceError(f"a template has no '{key}'; it needs {', '.join(_KEYS)}")
        values.append(value)
    if values[0].strip().casefold() not in TYPES:
        raise SluiceError(f"there is no repository type '{values[0]}'; it is one of {', '.join(TYPES)}")
    return values[0], values[1], values[2], values[3]
