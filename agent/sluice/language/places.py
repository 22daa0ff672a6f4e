"""Where a job runs: pools, containers, environments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.language.plan import Container, Environment, Pool, Text
from sluice.language.reader import text_of, to_boolean
from sluice.language.resource_schema import JOB_CONTAINER, MOUNT_READ_ONLY
from sluice.language.schema import ENVIRONMENT, POOL_MEANING, POOL_SHAPE
from sluice.language.tree import Mapping, Scalar, kind_of

if TYPE_CHECKING:
    from sluice.language.build import Build
    from sluice.language.reader import Fields
    from sluice.language.tree import Node

_PROPERTIES = ("options", "mapDockerSocket", "localImage")


def build_pool(build: Build, node: Node | None) -> Pool | None:
    """A pool as written: a name, `server`, or a mapping."""
    if type(node) is Scalar:
        if not node.value:
            return None
        if node.value.casefold() == "server":
            return Pool(server=True, where=node.where)
        build.problems.note(f"the pool '{node.value}' is not acted on: {POOL_MEANING}", node)
        return Pool(name=node.value, where=node.where)
    if type(node) is not Mapping:
        return None
    fields = build.reader.fields(node, POOL_SHAPE)
    return Pool(
        name=build.reader.text(fields, "name"),
        vm_image=build.reader.text(fields, "vmImage"),
        demands=build.reader.values(fields.get("demands"), "demands"),
        where=node.where,
    )


def build_environment(build: Build, node: Node | None) -> Environment | None:
    """An environment: `name`, `name.resource`, or a mapping."""
    if type(node) is Scalar:
        if not node.value:
            return None
        # a macro may hold periods of its own, so it is never cut
        name, _, resource = (node.value, "", "") if "$(" in node.value else node.value.partition(".")
        return Environment(name=Text(name, node.where), resource_name=resource)
    if type(node) is not Mapping:
        return None
    fields = build.reader.fields(node, ENVIRONMENT)
    name_node = fields.get("name")
    if type(name_node) is not Scalar:
        return None
    text = build.reader.text
    return Environment(
        name=text_of(name_node),
        resource_name=text(fields, "resourceName"),
        resource_id=text(fields, "resourceId"),
        resource_type=text(fields, "resourceType"),
        tags=build.reader.values(fields.get("tags"), "tags"),
    )


def build_services(build: Build, node: Node | None) -> dict[str, Container | Text]:
    """The services of a job, each like a job's container, by the names that the network knows them by."""
    if type(node) is not Mapping:
        return {}
    found = {}
    for key, value in node.pairs:
        service = build_job_container(build, value)
        if service is not None:
            found[key.value] = service
        elif type(value) not in {Scalar, Mapping}:
            build.problems.add(f"the service '{key.value}' has to be a text or a mapping, not {kind_of(value)}", value)
    return found


def build_job_container(build: Build, node: Node | None) -> Container | Text | None:
    """A job's container: the alias of a resource or the name of an image as a text, else one written in place."""
    if type(node) is Scalar:
        return text_of(node) if node.value else None
    if type(node) is not Mapping:
        return None
    fields = build.reader.fields(node, JOB_CONTAINER)
    alias = fields.get("alias")
    if type(alias) is Scalar and alias.value:
        return text_of(alias)
    if "image" not in fields:
        build.problems.add("a container needs 'image' or 'alias'", node)
    return build_container(build, fields, "", node)


def build_container(build: Build, fields: Fields, alias: str, node: Mapping) -> Container:
    """A container from the fields that resources and containers written in place share."""
    reader = build.reader
    image = fields.get("image")
    properties = {name: text_of(value) for name in _PROPERTIES if type(value := fields.get(name)) is Scalar}
    for name in ("mapDockerSocket", "localImage"):
        reader.boolean(fields, name, default=True)
    return Container(
        alias=alias,
        image=text_of(image) if type(image) is Scalar else Text("", node.where),
        endpoint=reader.placed(fields, "endpoint"),
        type=reader.text(fields, "type"),
        properties=properties,
        env=reader.text_map(fields.get("env"), "env"),
        ports=reader.values(fields.get("ports"), "ports"),
        volumes=reader.values(fields.get("volumes"), "volumes"),
        mount_read_only=_mounts(build, fields.get("mountReadOnly")),
    )


def _mounts(build: Build, node: Node | None) -> dict[str, bool]:
    if type(node) is not Mapping:
        return {}
    fields = build.reader.fields(node, MOUNT_READ_ONLY)
    found = {}
    for name, value in fields.items():
        answer = to_boolean(value.value) if type(value) is Scalar else None
        if answer is None:
            build.problems.add(f"'{name}' has to be true or false", value)
        else:
            found[name] = answer
    return found
