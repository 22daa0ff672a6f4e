"""Protected resources as pages show them: what kind, what name, and which pages there are about it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from sluice.authorization.resources import ENDPOINT, ENVIRONMENT, SECURE_FILE, VARIABLE_GROUP
from sluice.errors import NotFoundError
from sluice.server.web import words
from sluice.server.web.rendering import home_of
from sluice.storage import projects
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.server.caller import Caller
    from sluice.storage.engine import Transaction
    from sluice.storage.permissions import Resource

AREAS = {
    ENDPOINT: ("connections", "Service connections", "/_settings/adminservices"),
    ENVIRONMENT: ("environments", "Environments", "/_environments"),
    VARIABLE_GROUP: ("library", "Library", "/_library"),
    SECURE_FILE: ("library", "Library", "/_library"),
}
"""Where resources of a kind are at home: the area's key, its name, and its path."""

_PAGES = {
    ENDPOINT: "/_settings/adminservices/{}",
    ENVIRONMENT: "/_environments/{}",
    VARIABLE_GROUP: "/_library/groups/{}",
    SECURE_FILE: "/_library/files/{}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """A page about a resource."""

    key: str
    label: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A resource with its pages."""

    resource: Resource
    name: str
    project: str
    home: str

    @property
    def kind(self) -> str:
        return self.resource.type

    @property
    def label(self) -> str:
        return words.label(self.kind)

    @property
    def area(self) -> tuple[str, str, str]:
        return AREAS[self.kind]

    @property
    def path(self) -> str:
        """Its own page."""
        return self.home + _PAGES[self.kind].format(self.resource.id)

    @property
    def tabs(self) -> tuple[Tab, ...]:
        """Its pages, in order."""
        about = f"{self.home}/_resources/{self.kind}/{self.resource.id}"
        used = "Deployments" if self.kind == ENVIRONMENT else "Usage history"
        return (
            Tab(key="overview", label="Overview", path=self.path),
            Tab(key="history", label=used, path=f"{about}/history"),
            Tab(key="checks", label="Approvals and checks", path=f"{about}/checks"),
            Tab(key="security", label="Security", path=f"{about}/security"),
        )


def shown(transaction: Transaction, caller: Caller, project: str, kind: str, name: str) -> Shown:
    """The resource of that kind and id (or name); raises `NotFoundError` also for what the person does not see."""
    if kind not in AREAS:
        raise NotFoundError(f"there is no kind of resource '{words.plain(kind)}'")
    home = projects.find(transaction, project)
    on = caller.configurations.find(transaction, home.name, kind, name)
    return Shown(resource=on.resource, name=on.name, project=home.name, home=home_of(caller, home.name))


def path_of(caller: Caller, project: str, kind: str, resource_id: str) -> str:
    """The page of a resource by its kind and id; '' where there is none."""
    template = _PAGES.get(kind)
    return home_of(caller, project) + template.format(quote(resource_id, safe="")) if template else ""
