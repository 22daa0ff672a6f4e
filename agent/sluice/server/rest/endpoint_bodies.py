"""What clients send about service endpoints, and what it means for a connection of ours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field

from sluice.connections.catalogue import choose_scheme, fields_of, find_field
from sluice.connections.connection import ConnectionRecord, Draft, Key, Update
from sluice.secret import Secret
from sluice.server.problems import Problem, bad_argument
from sluice.server.rest.bodies import Body

if TYPE_CHECKING:
    from sluice.connections.catalogue import Catalogue
    from sluice.hooks.declaration import ConnectionType

Texts = dict[str, str | None]


class ProjectBody(Body):
    """A project, by id or name."""

    id: str | None = None
    name: str | None = None

    @property
    def either(self) -> str:
        """The id, or else the name."""
        return self.id or self.name or ""


class ReferenceBody(Body):
    """A project that a connection is in, or is to be in, and its name there."""

    projectReference: ProjectBody | None = None
    name: str | None = None
    description: str | None = None

    @property
    def project(self) -> str:
        """The project, by id or name; '' when it is not said."""
        return self.projectReference.either if self.projectReference else ""


class AuthorizationBody(Body):
    """How a connection authenticates; a parameter that is null or left out stays as it is stored."""

    scheme: str | None = None
    parameters: Texts | None = None


class EndpointBody(Body):
    """A service endpoint as clients send it, whole."""

    id: str | None = None
    name: str | None = Field(default=None, max_length=1024)
    type: str | None = None
    url: str | None = None
    description: str | None = None
    authorization: AuthorizationBody | None = None
    data: Texts | None = None
    isDisabled: bool | None = None
    serviceEndpointProjectReferences: list[ReferenceBody] | None = None

    def draft(self, catalogue: Catalogue, first: ReferenceBody | None) -> Draft:
        """The new connection that is meant; raises as `fit_draft` does."""
        kind = _kind(catalogue, self.type)
        scheme = self.authorization.scheme or "" if self.authorization else ""
        values, secrets = _split(kind, scheme, self._given())
        return Draft(
            name=(first.name if first else None) or self.name or "",
            type=kind.name,
            scheme=scheme,
            url=self._url(kind),
            description=((first.description if first else None) or self.description or ""),
            disabled=bool(self.isDisabled),
            values=values,
            secrets=secrets,
        )

    def update(self, catalogue: Catalogue, record: ConnectionRecord, here: ReferenceBody | None) -> Update:
        """What is to change in a connection: secrets that are not sent stay, public values that are not sent go."""
        if self.type is not None and self.type.casefold() != record.type.casefold():
            raise bad_argument(f"the type of the service connection '{record.name}' is '{record.type}', and stays")
        kind = _kind(catalogue, record.type)
        scheme = (self.authorization.scheme if self.authorization else None) or record.scheme
        values, secrets = _split(kind, scheme, self._given())
        return Update(
            name=_other(record.name, here.name if here else None, self.name) or None,
            description=_other(record.description, here.description if here else None, self.description),
            scheme=scheme if scheme.casefold() != record.scheme.casefold() else None,
            url=self._url(kind) or None,
            disabled=self.isDisabled,
            values={**self._gone(record, kind, scheme, values), **values},
            secrets=secrets,
        )

    def _url(self, kind: ConnectionType) -> str:
        """The url; clients send one also with types whose url is made of other fields."""
        return (self.url or "") if kind.url.entered else ""

    def _given(self) -> dict[str, str]:
        """The values that are sent, by `parameters.KEY` or `data.KEY`."""
        parameters = (self.authorization.parameters if self.authorization else None) or {}
        found = {f"parameters.{key}": value for key, value in parameters.items()}
        found.update({f"data.{key}": value for key, value in (self.data or {}).items()})
        return {key: value for key, value in found.items() if value is not None}

    def _gone(
        self, record: ConnectionRecord, kind: ConnectionType, scheme: str, values: Mapping[str, str]
    ) -> dict[str, str]:
        """The public values that are stored and were left out of what is sent."""
        places = [
            *(["parameters"] if self.authorization and self.authorization.parameters is not None else []),
            *(["data"] if self.data is not None else []),
        ]
        fields = fields_of(kind, choose_scheme(kind, scheme))
        sent = {find_field(fields, name) for name in values}
        return {
            _name(key): ""
            for key in record.values()
            if key[0] in places and key in fields and key not in sent and not fields[key].generated
        }


def references_of(bodies: Iterable[ReferenceBody] | None) -> list[ReferenceBody]:
    """The references that name a project."""
    return [one for one in bodies or () if one.project]


def _kind(catalogue: Catalogue, name: str | None) -> ConnectionType:
    found = catalogue.find(name or "")
    if found is None:
        raise Problem(400, "ServiceEndpointException", f"there is no type of service connections '{(name or '')[:80]}'")
    return found


def _split(kind: ConnectionType, scheme: str, given: Mapping[str, str]) -> tuple[dict[str, str], dict[str, Secret]]:
    """What is sent as public values and secrets. What is empty is left out; so is an empty field that there is not."""
    fields = fields_of(kind, choose_scheme(kind, scheme))
    values: dict[str, str] = {}
    secrets: dict[str, Secret] = {}
    for name, value in given.items():
        key = _meant(fields, name)
        if key is None:
            if value:
                values[name.partition(".")[2]] = value  # told as unknown by whoever checks the draft
        elif fields[key].secret:
            if value:
                secrets[_name(key)] = Secret(value)
        else:
            values[_name(key)] = value
    return values, secrets


def _meant(fields: Mapping[Key, Any], name: str) -> Key | None:
    place, _, key = name.partition(".")
    wanted = (place, key.casefold())
    return next((one for one in fields if (one[0], one[1].casefold()) == wanted), None)


def _name(key: Key) -> str:
    return f"{key[0]}.{key[1]}"


def _other(stored: str, *sent: str | None) -> str | None:
    """What is sent that is not stored so: clients send everything back, and change it at one of two places."""
    return next((text for text in sent if text is not None and text != stored), None)
