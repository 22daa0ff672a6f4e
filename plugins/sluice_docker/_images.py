"""Names of images, labels that say where an image comes from, and what a Dockerfile builds upon. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import urlsplit

from sluice_docker._login import HUB_HOSTS, host_of

AZURE_DEVOPS = "com.azure.dev"
"""The prefix of labels where there is no server: the one that Azure DevOps has."""

_PIPELINE = {
    "system.teamproject": "System.TeamProject",
    "build.repository.name": "Build.Repository.Name",
    "build.repository.uri": "Build.Repository.Uri",
    "build.sourcebranchname": "Build.SourceBranchName",
    "build.definitionname": "Build.DefinitionName",
    "build.buildnumber": "Build.BuildNumber",
    "build.builduri": "Build.BuildUri",
}
_FROM = re.compile(r"\s*FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?\s*\Z", re.IGNORECASE)


def valid_name(name: str) -> str:
    """Lower case, without blanks: what a registry takes."""
    return name.lower().replace(" ", "")


def qualified(registry: str, repository: str) -> str:
    """A repository's name with the registry's host in front; Docker Hub has none."""
    host = host_of(registry).lower()
    name = valid_name(repository)
    return name if host in HUB_HOSTS or name.startswith(f"{host}/") else f"{host}/{name}"


def tagged(names: Iterable[str], tags: str) -> list[str]:
    """Each name with each tag; tags stand on lines of their own or between commas. Without tags the names alone."""
    chosen = [tag.strip() for tag in re.split(r"[\n,]+", tags) if tag.strip()]
    return [f"{name}:{tag}" if tag else name for name in names for tag in chosen or [""]]


def labels(variable: Callable[[str], str], *, pipeline_data: bool) -> list[str]:
    """`name=value` of the labels that name the sources and the run."""
    collection = variable("System.TeamFoundationCollectionUri")
    host = urlsplit(collection).hostname or ""
    if host.endswith(".invalid"):  # stands for the server where there is none: nobody finds the run there
        collection = host = ""
    prefix = ".".join(reversed(host.split("."))) if host else AZURE_DEVOPS
    wanted = {"system.teamfoundationcollectionuri": collection, "build.sourceversion": variable("Build.SourceVersion")}
    if pipeline_data:
        wanted |= {label: variable(name) for label, name in _PIPELINE.items()}
    return [f"{prefix}.image.{label}={value}" for label, value in wanted.items() if value]


def base_image(dockerfile: str) -> str:
    """What the last stage of a Dockerfile starts from, through the stages before it; '' when that is not known."""
    stages: dict[str, str] = {}
    base = ""
    for image, alias in _stages(dockerfile):
        base = stages.get(image.lower(), image)
        if alias:
            stages[alias.lower()] = base
    return "" if "$" in base else base


def _stages(dockerfile: str) -> Iterator[tuple[str, str]]:
    for line in dockerfile.splitlines():
        if found := _FROM.match(line):
            yield found[1], found[2] or ""
