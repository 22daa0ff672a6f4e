"""The `resources` of a pipeline: repositories, containers, and what else a run may be made of."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from sluice.language.build import Names
from sluice.language.places import build_container
from sluice.language.plan import OtherResource, Repository, Text
from sluice.language.reader import plain, text_of
from sluice.language.resource_schema import (
    BUILD,
    CHECKOUT_OPTIONS,
    CONTAINER_RESOURCE,
    LEGACY_REPOSITORY,
    PACKAGE,
    PIPELINE_RESOURCE,
    REPOSITORY,
    RESOURCES,
    WEBHOOK,
)
from sluice.language.schema import SHAPES
from sluice.language.tree import Mapping, Scalar, Sequence
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.language.build import Build
    from sluice.language.plan import Container
    from sluice.language.reader import Fields
    from sluice.language.shapes import Shape
    from sluice.language.tree import Node

_ALIAS = re.compile(r"[-_.A-Za-z0-9]+\Z")
_Kind = Literal["pipeline", "build", "package", "webhook"]
_OTHERS: tuple[tuple[str, _Kind, Shape], ...] = (
    ("pipelines", "pipeline", PIPELINE_RESOURCE),
    ("builds", "build", BUILD),
    ("packages", "package", PACKAGE),
    ("webhooks", "webhook", WEBHOOK),
)


@dataclass(frozen=True, slots=True)
class Resources:
    """What `resources` lists."""

    repositories: tuple[Repository, ...] = ()
    containers: tuple[Container, ...] = ()
    others: tuple[OtherResource, ...] = ()

    def __add__(self, more: Resources) -> Resources:
        return Resources(
            self.repositories + more.repositories, self.containers + more.containers, self.others + more.others
        )


def build_resources(build: Build, node: Node | None) -> Resources:
    """The resources, whose aliases the rest of the pipeline may use from then on."""
    if type(node) is Sequence:
        return Resources(repositories=tuple(_legacy(build, item) for item in node.items if type(item) is Mapping))
    if type(node) is not Mapping:
        return Resources()
    fields = build.reader.fields(node, RESOURCES)
    repositories = tuple(
        _repository(build, each, item) for each, item in _items(build, fields, "repositories", REPOSITORY)
    )
    containers = tuple(
        _container(build, each, item) for each, item in _items(build, fields, "containers", CONTAINER_RESOURCE)
    )
    others = tuple(
        _other(build, kind, shape, each, item)
        for name, kind, shape in _OTHERS
        for each, item in _items(build, fields, name, shape)
    )
    build.repositories.update(each.alias.casefold() for each in repositories)
    build.containers.update(each.alias.casefold() for each in containers)
    build.pipelines.update(each.alias.casefold() for each in others if each.kind == "pipeline")
    return Resources(repositories, containers, others)


def _items(build: Build, fields: Fields, name: str, shape: Shape) -> list[tuple[Fields, Mapping]]:
    node = fields.get(name)
    alias_key = shape.required[0]
    names = Names(shape.what, build.problems)
    found = []
    for item in node.items if type(node) is Sequence else []:
        mapping = build.reader.mapping(item, f"an item of '{name}'")
        if mapping is None:
            continue
        each = build.reader.fields(mapping, shape)
        alias = each.get(alias_key)
        if type(alias) is not Scalar:
            continue
        if _ALIAS.match(alias.value) is None:
            build.problems.add(f"'{alias.value}' is no alias", alias, do="letters, digits, -, _ and . only")
        elif alias.value.casefold() == "self" and alias_key != "repository":
            build.problems.add("the alias 'self' is reserved for the pipeline's own repository", alias)
        names.take(alias.value, alias)
        found.append((each, mapping))
    return found


def _legacy(build: Build, item: Mapping) -> Repository:
    fields = build.reader.fields(item, LEGACY_REPOSITORY)
    repo = fields.get("repo")
    if type(repo) is Scalar and repo.value.casefold() != "self":
        build.problems.add("the old list form of 'resources' knows only 'repo: self'", repo)
    options: dict[str, str] = {
        name: build.reader.text(fields, name) for name in ("clean", "fetchDepth", "lfs") if name in fields
    }
    return Repository(alias="self", type="git", checkout_options=options, where=item.where)


def _repository(build: Build, fields: Fields, item: Mapping) -> Repository:
    reader = build.reader
    kind = reader.choice(fields, "type", REPOSITORY) or "git"
    if kind not in {"git", "tfsgit"} and "endpoint" not in fields:
        build.problems.note(f"a repository of type '{kind}' needs 'endpoint', the name of a service connection", item)
    if kind == "svn":
        build.problems.note("repositories of type 'svn' are an addition of Sluice; Azure Pipelines refuses them", item)
    for name in ("name", "ref", "endpoint"):
        value = fields.get(name)
        if type(value) is Scalar and ("$(" in value.value or value.value.startswith("$[")):
            build.problems.add(
                f"'{name}' of a repository is read when the run is created: only '${{{{ }}}}' can be used", value
            )
    options = fields.get("checkoutOptions")
    chosen = reader.fields(options, CHECKOUT_OPTIONS) if type(options) is Mapping else {}
    if "trigger" in fields:
        reader.data(fields["trigger"], REPOSITORY.keys["trigger"], "trigger")
    return Repository(
        alias=reader.text(fields, "repository"),
        type=kind,
        name=reader.text(fields, "name"),
        ref=reader.text(fields, "ref"),
        endpoint=reader.placed(fields, "endpoint"),
        checkout_options={name: reader.text(chosen, name) for name in chosen},
        where=item.where,
    )


def _container(build: Build, fields: Fields, item: Mapping) -> Container:
    reader = build.reader
    acr = reader.text(fields, "type").casefold() == "acr"
    needed = ("azureSubscription", "registry", "repository") if acr else ("image",)
    for name in needed:
        if name not in fields:
            build.problems.add(f"{CONTAINER_RESOURCE.what} needs '{name}'", item)
    trigger = fields.get("trigger")
    if trigger is not None:
        reader.data(trigger, CONTAINER_RESOURCE.keys["trigger"], "trigger")
    built = build_container(build, fields, reader.text(fields, "container"), item)
    if not acr:
        return built
    return _of_registry(built, fields, reader.placed(fields, "azureSubscription"))


def _of_registry(container: Container, fields: Fields, subscription: Text | None) -> Container:
    """The ACR form: its connection is an Azure subscription, its image is put together from registry and repository."""
    extra = {
        name: text_of(value)
        for name in ("azureSubscription", "resourceGroup", "registry", "repository")
        if type(value := fields.get(name)) is Scalar
    }
    image = container.image
    if not image.value and "registry" in extra and "repository" in extra:
        registry = extra["registry"].value
        host = registry if "." in registry else f"{registry}.azurecr.io"
        image = Text(f"{host}/{extra['repository'].value}", extra["repository"].where)
    return type(container)(
        alias=container.alias,
        image=image,
        endpoint=subscription or container.endpoint,
        type="ACR",
        properties={**container.properties, **extra},
        env=container.env,
        ports=container.ports,
        volumes=container.volumes,
        mount_read_only=container.mount_read_only,
    )


def _other(build: Build, kind: _Kind, shape: Shape, fields: Fields, item: Mapping) -> OtherResource:
    for name, node in fields.items():
        key = shape.keys[name]
        if key.of in SHAPES or key.values:
            build.reader.data(node, key, name)
    return OtherResource(
        kind=kind,
        alias=build.reader.text(fields, shape.required[0]),
        connection=build.reader.placed(fields, "connection"),
        properties={name: plain(node) for name, node in fields.items() if name != shape.required[0]},
        where=item.where,
    )
