"""Manifests: read from files, and changed before they are applied (images, pull secrets, annotations)."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sluice.plugin import TaskFailedError, TaskRun

Object = dict[str, Any]

DEPLOYMENTS = frozenset({"deployment", "replicaset", "daemonset", "pod", "statefulset"})
"""What a rollout is waited for, in lower case."""

WORKLOADS = DEPLOYMENTS | {"job", "cronjob"}
"""What runs containers, in lower case."""

MAX_BYTES = 16 << 20
MAX_NODES = 1 << 20
"""Values in a file, aliases counted as often as they are used: what is sent to a cluster is written out."""

_SUFFIXES = ("*.yml", "*.yaml", "*.json")


def manifest_files(run: TaskRun, patterns: Sequence[str]) -> list[Path]:
    """The files that patterns mean, in their order; of a folder all that are YAML or JSON."""
    found: dict[Path, None] = {}
    for pattern in patterns:
        root, rest = _rooted(run.sources, pattern)
        if root.is_dir():
            found.update(dict.fromkeys(run.files(root, [rest]) if rest else _in_folder(root)))
    if not found:
        raise TaskFailedError(
            "No file found with the supplied manifest path",
            where=run.task,
            why=f"nothing matches {', '.join(patterns) or 'nothing'} in {run.sources}",
        )
    return list(found)


def _rooted(sources: Path, pattern: str) -> tuple[Path, str]:
    """The folder above the first wildcard of a pattern, and the rest; the rest of an existing folder is empty."""
    path = Path(pattern) if Path(pattern).is_absolute() else sources / pattern
    if path.is_dir():
        return path, ""
    parts = path.parts
    index = next((number for number, part in enumerate(parts) if re.search(r"[*?\[]", part)), len(parts) - 1)
    return Path(*parts[:index]), "/".join(parts[index:])


def _in_folder(folder: Path) -> list[Path]:
    return sorted(path for suffix in _SUFFIXES for path in folder.glob(suffix) if path.is_file())


def read_objects(files: Iterable[Path], where: str) -> list[Object]:
    """The objects of files, those of lists one by one; raises `TaskFailedError` naming the file."""
    return [one for path in files for one in objects_of(_text(path, where), path.name, where)]


def _text(path: Path, where: str) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise TaskFailedError(f"{path} cannot be read", where=where, why=error.strerror or "") from None
    if len(raw) > MAX_BYTES:
        raise TaskFailedError(f"{path} has more than {MAX_BYTES >> 20} MiB", where=where)
    return raw.decode("utf-8", "replace")


def objects_of(text: str, name: str, where: str) -> list[Object]:
    """The objects of a text that is called `name` in errors."""
    import yaml

    from sluice_kubernetes._yaml import load_all

    try:
        documents = load_all(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f" in line {mark.line + 1}" if mark else ""
        raise TaskFailedError(
            f"{name} is no YAML{line}", where=where, why=str(getattr(error, "problem", "") or "")
        ) from None
    if _count(documents) > MAX_NODES:
        raise TaskFailedError(f"{name} holds more than {MAX_NODES} values", where=where)
    found = list(_flat(documents))
    for one in found:
        _check(one, name, where)
    return copy.deepcopy(found)


def _flat(documents: Iterable[object]) -> Iterator[Object]:
    for document in documents:
        if isinstance(document, dict) and str(document.get("kind", "")).endswith("List") and "items" in document:
            yield from _flat(document["items"] or [])
        elif document is not None:
            yield document  # type: ignore[misc]  # looked at next


def _count(value: object) -> int:
    """How many values there are when aliases are written out; counting ends where there are too many."""
    waiting, count = [value], 0
    while waiting and count <= MAX_NODES:
        one = waiting.pop()
        count += 1
        if isinstance(one, dict):
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
    return count


def _check(described: object, name: str, where: str) -> None:
    if not isinstance(described, dict):
        raise TaskFailedError(f"{name} holds something that is no Kubernetes object", where=where)
    metadata = described.get("metadata")
    for key in ("apiVersion", "kind"):
        if not isinstance(described.get(key), str) or not described[key]:
            raise TaskFailedError(f"an object in {name} has no '{key}'", where=where)
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str) or not metadata["name"]:
        raise TaskFailedError(f"the {described['kind']} in {name} has no 'metadata.name'", where=where)


def is_kind(described: Mapping[str, Any], kinds: Iterable[str]) -> bool:
    """Whether an object is of one of the kinds, which are in lower case."""
    return str(described.get("kind", "")).casefold() in kinds


def title(described: Mapping[str, Any]) -> str:
    """How an object is called in a log: `deployment/web`."""
    return f"{str(described['kind']).casefold()}/{described['metadata']['name']}"


def pod_spec(described: Mapping[str, Any]) -> Object | None:
    """The part that says what runs in the pods of a workload."""
    spec = described.get("spec")
    if not isinstance(spec, dict):
        return None
    if is_kind(described, {"pod"}):
        return spec
    if is_kind(described, {"cronjob"}):
        spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    template = spec.get("template")
    inner = template.get("spec") if isinstance(template, dict) else None
    return inner if isinstance(inner, dict) else None


def substitute_images(objects: Iterable[Object], images: Sequence[str]) -> None:
    """Give containers whose image has the name of one of `images` that one: with its tag or digest."""
    wanted = {image_name(image): image for image in images}
    for described in objects:
        spec = pod_spec(described) if is_kind(described, WORKLOADS) else None
        for key in ("containers", "initContainers"):
            for container in (spec or {}).get(key) or ():
                if isinstance(container, dict) and isinstance(container.get("image"), str):
                    container["image"] = wanted.get(image_name(container["image"]), container["image"])


def image_name(image: str) -> str:
    """An image's name without tag and digest, as `KubernetesManifest@1` compares it."""
    registry, slash, rest = image.strip().partition("/")
    if slash and registry:
        return f"{registry}/{rest.split(':')[0]}".split("@sha256")[0]
    return image.strip().split(":")[0].split("@sha256")[0]


def add_pull_secrets(objects: Iterable[Object], names: Sequence[str]) -> None:
    """Let the pods of workloads pull with these secrets, too."""
    for described in objects:
        spec = pod_spec(described) if is_kind(described, WORKLOADS) else None
        if spec is None or not names:
            continue
        known = [one for one in spec.get("imagePullSecrets") or () if isinstance(one, dict)]
        there = {one.get("name") for one in known}
        spec["imagePullSecrets"] = [*known, *({"name": name} for name in names if name not in there)]


def annotations_of(run: TaskRun) -> dict[str, str]:
    """What `KubernetesManifest@1` notes on objects and pods about the run that made them."""
    found = {
        "azure-pipelines/run": run.variable("Build.BuildNumber"),
        "azure-pipelines/pipeline": run.variable("Build.DefinitionName"),
        "azure-pipelines/pipelineId": run.variable("System.DefinitionId"),
        "azure-pipelines/jobName": run.variable("System.JobDisplayName"),
        "azure-pipelines/project": run.variable("System.TeamProject"),
    }
    server = run.variable("System.CollectionUri")
    if server and ".invalid/" not in server:  # there is a server that could be asked
        found["azure-pipelines/org"] = server
        page = f"{run.variable('System.TeamProject')}/_build/results?buildId={run.variable('Build.BuildId')}"
        found["azure-pipelines/runuri"] = server + page
    return {key: value for key, value in found.items() if value}


def annotate(objects: Iterable[Object], annotations: Mapping[str, str]) -> None:
    """Add annotations to objects."""
    for described in objects:
        metadata = described["metadata"]
        metadata["annotations"] = {**(metadata.get("annotations") or {}), **annotations}
