"""The phases of a classic build definition: jobs, their pools and matrices, checkout, and steps."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sluice.language.classic_notes import Notes, child, entries, is_true, texts, whole
from sluice.language.tasks import TaskDefinition

MAX_LEGS = 256
"""Combinations of a matrix, as many as Azure Pipelines takes."""

_SERVER = (2, "server")
_MATRIX, _COPIES = 1, 2
_IMAGES = {
    "hosted ubuntu 1604": "ubuntu-latest",
    "hosted ubuntu 1804": "ubuntu-latest",
    "hosted vs2017": "windows-latest",
    "hosted windows 2019 with vs2019": "windows-2019",
    "hosted macos": "macOS-latest",
    "hosted macos high sierra": "macOS-latest",
    "hosted windows container": "windows-latest",
    "hosted": "windows-latest",
}
"""Pools of Microsoft's machines that are no more, and the image that comes next to each."""

_CLEANS = {"1": "outputs", "2": "resources", "3": "all"}
_PARAMETER = re.compile(r"\$\(Parameters\.([^)]+)\)", re.IGNORECASE)
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def own_parts(value: str) -> list[str]:
    """The parts of an input that takes several connections."""
    return [part.strip() for part in value.split(",") if part.strip()]


class Jobs:
    """Converts the phases of one definition."""

    def __init__(
        self,
        definition: Mapping[str, Any],
        process: Mapping[str, Any],
        *,
        notes: Notes,
        find_task: Callable[[str], TaskDefinition | None],
        connections: Mapping[str, str],
    ) -> None:
        self._definition = definition
        self._process = process
        self._notes = notes
        self._find_task = find_task
        self._connections = connections
        self._text = json.dumps(process)
        given = child(definition, "processParameters")
        self._parameters = {
            str(one.get("name")).casefold(): str(one.get("defaultValue") or "") for _, one in entries(given, "inputs")
        }

    def convert(self) -> list[dict[str, Any]]:
        """The jobs of the document."""
        phases = [(f"process.{place}", phase) for place, phase in entries(self._process, "phases")]
        names = _names(phases)
        return [self._job(place, phase, names) for place, phase in phases]

    def _job(self, place: str, phase: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
        job: dict[str, Any] = {"job": names[place]}
        if title := str(phase.get("name") or ""):
            job["displayName"] = title
        job.update(self._order(place, phase, names))
        target = child(phase, "target")
        server = target.get("type") in _SERVER
        job["pool"] = "server" if server else self._pool(place, target)
        job.update(self._strategy(f"{place}.target", target))
        job.update(self._times(phase))
        if phase_variables := child(phase, "variables"):
            job["variables"] = {name: str(child(phase_variables, name).get("value") or "") for name in phase_variables}
        repository = child(self._definition, "repository")
        if not server and (clean := self._workspace(repository)):
            job["workspace"] = {"clean": clean}
        steps = [] if server else self._checkout(repository, target)
        job["steps"] = steps + [self._step(f"{place}.{inner}", step) for inner, step in entries(phase, "steps")]
        return job

    def _order(self, place: str, phase: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        by_reference = {
            str(other.get("refName")): names[f"process.{where}"] for where, other in entries(self._process, "phases")
        }
        if after := [str(one.get("scope")) for _, one in entries(phase, "dependencies")]:
            found["dependsOn"] = [by_reference.get(name, name) for name in after]
        condition = str(phase.get("condition") or "").strip()
        if condition and condition != "succeeded()":
            found["condition"] = condition
        return found

    def _times(self, phase: Mapping[str, Any]) -> dict[str, Any]:
        found = {}
        if minutes := whole(phase.get("jobTimeoutInMinutes")) or whole(self._definition.get("jobTimeoutInMinutes")):
            found["timeoutInMinutes"] = minutes
        cancel = whole(phase.get("jobCancelTimeoutInMinutes")) or whole(
            self._definition.get("jobCancelTimeoutInMinutes")
        )
        if cancel > 1:
            found["cancelTimeoutInMinutes"] = cancel
        return found

    def _pool(self, place: str, target: Mapping[str, Any]) -> dict[str, Any]:
        """The pool of a phase, else of its process, else of the definition."""
        shared = child(self._process, "target")
        image = child(target, "agentSpecification") or child(shared, "agentSpecification")
        queue = child(target, "queue") or child(shared, "queue") or child(self._definition, "queue")
        name = str(child(queue, "pool").get("name") or queue.get("name") or "")
        pool: dict[str, Any] = {}
        if identifier := str(image.get("identifier") or ""):
            pool["vmImage"] = identifier
        elif name.casefold() in _IMAGES:
            pool["vmImage"] = _IMAGES[name.casefold()]
            self._notes.add(f"{place}.target", f"the pool '{name}' is no more", f"{pool['vmImage']} comes next to it")
        elif name and name.casefold() != "azure pipelines":
            pool["name"] = name
        else:
            pool["vmImage"] = "ubuntu-latest"
            self._notes.add(f"{place}.target", "the export names no image and no pool", "ubuntu-latest was put there")
        demands = [*texts(self._definition.get("demands")), *texts(target.get("demands"))]
        demands += [_demand(one) for _, one in entries(target, "demands")]
        if demands:
            pool["demands"] = demands
        return pool

    def _strategy(self, place: str, target: Mapping[str, Any]) -> dict[str, Any]:
        options = child(target, "executionOptions")
        most = whole(options.get("maxConcurrency"))
        if options.get("type") == _COPIES and most:
            return {"strategy": {"parallel": most}}
        if options.get("type") != _MATRIX:
            return {}
        legs = self._legs(f"{place}.executionOptions", texts(options.get("multipliers")))
        if not legs:
            return {}
        return {"strategy": {"matrix": legs, **({"maxParallel": most} if most else {})}}

    def _legs(self, place: str, multipliers: list[str]) -> dict[str, dict[str, str]]:
        variables = child(self._definition, "variables")
        values: dict[str, list[str]] = {}
        for name in multipliers:
            found = next((about for key, about in variables.items() if key.casefold() == name.casefold()), None)
            values[name] = own_parts(str(found.get("value") or "")) if isinstance(found, dict) else []
        if missing := [name for name, found in values.items() if not found]:
            self._notes.add(
                place, f"the multiplier '{missing[0]}' is no variable with values", "write the matrix by hand"
            )
            return {}
        rows = list(itertools.islice(itertools.product(*values.values()), MAX_LEGS + 1))
        if len(rows) > MAX_LEGS:
            self._notes.add(place, f"it makes more than {MAX_LEGS} combinations", "write the matrix by hand")
            return {}
        legs: dict[str, dict[str, str]] = {}
        for number, row in enumerate(rows, 1):
            name = re.sub(r"[^A-Za-z0-9]+", "_", "_".join(row)).strip("_") or f"leg_{number}"
            name = name if name not in legs and name[0].isalpha() else f"leg_{number}_{name}"
            legs[name] = dict(zip(values, row, strict=True))
        return legs

    def _workspace(self, repository: Mapping[str, Any]) -> str:
        return _CLEANS.get(str(child(repository, "properties").get("cleanOptions")), "") if _cleans(repository) else ""

    def _checkout(self, repository: Mapping[str, Any], target: Mapping[str, Any]) -> list[dict[str, Any]]:
        settings = child(repository, "properties")
        if str(repository.get("type")).casefold() == "tfsversioncontrol":
            text = "a TFVC repository cannot be checked out by YAML"
            self._notes.add("repository", text, "move the sources to git")
            return [{"checkout": "none"}]
        if is_true(settings.get("skipSyncSource")):
            return [{"checkout": "none"}]
        step: dict[str, Any] = {"checkout": "self"}
        if _cleans(repository):
            step["clean"] = True
        if depth := whole(settings.get("fetchDepth")):
            step["fetchDepth"] = depth
        if is_true(settings.get("gitLfsSupport")):
            step["lfs"] = True
        if is_true(repository.get("checkoutSubmodules")):
            step["submodules"] = "recursive" if is_true(settings.get("checkoutNestedSubmodules")) else True
        if target.get("allowScriptsAuthAccessOption"):
            step["persistCredentials"] = True
        if str(settings.get("labelSources") or "0") not in {"0", "", "none"}:
            self._notes.add("repository.properties.labelSources", "labelling sources has no equal in YAML")
        return [step]

    def _step(self, place: str, step: Mapping[str, Any]) -> dict[str, Any]:
        about = child(step, "task")
        reference, definition = self._task(place, about)
        found: dict[str, Any] = {"task": reference}
        name = str(step.get("refName") or "")
        if _IDENTIFIER.fullmatch(name) and re.search(rf"[(.'\[]{name}[.'\]]", self._text):  # somebody reads its outputs
            found["name"] = name
        if title := self._filled(place, str(step.get("displayName") or "")):
            found["displayName"] = title
        if inputs := self._inputs(place, child(step, "inputs"), definition):
            found["inputs"] = inputs
        found.update(self._control(step))
        if environment := child(step, "environment"):
            values = {name: "" if value is None else str(value) for name, value in environment.items()}
            found["env"] = {name: self._filled(f"{place}.environment", value) for name, value in values.items()}
        return found

    def _control(self, step: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        condition = str(step.get("condition") or "").strip()
        if not condition and step.get("alwaysRun"):
            condition = "succeededOrFailed()"
        if condition and condition != "succeeded()":
            found["condition"] = condition
        if step.get("continueOnError"):
            found["continueOnError"] = True
        if step.get("enabled") is False:
            found["enabled"] = False
        for key in ("timeoutInMinutes", "retryCountOnTaskFailure"):
            if number := whole(step.get(key)):
                found[key] = number
        return found

    def _task(self, place: str, about: Mapping[str, Any]) -> tuple[str, TaskDefinition | None]:
        identity, version = str(about.get("id") or ""), str(about.get("versionSpec") or "")
        major = version.partition(".")[0] or "0"
        if not identity:
            self._notes.add(place, "the step names no task", "write one in its place, or take the step out")
            return f"@{major}", None
        if str(about.get("definitionType") or "task").casefold() == "metatask":
            self._notes.add(
                place, f"it is the task group {identity}, whose steps are no part of the export", "put them here"
            )
            return f"{identity}@{major}", None
        if not major.isdecimal():
            self._notes.add(place, f"the version '{version}' of its task is not one of numbers", "write the number")
            major = "0"
        definition = self._find_task(f"{identity}@{major}")
        if definition is None:
            self._notes.add(
                place, f"the task {identity} is not known here", "install it ('sluice task install'), or write its name"
            )
            return f"{identity}@{major}", None
        return definition.reference, definition

    def _inputs(self, place: str, given: Mapping[str, Any], definition: TaskDefinition | None) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, value in given.items():
            text = self._filled(f"{place}.inputs.{name}", str(value) if value is not None else "")
            known = definition.input(name) if definition else None
            if not text or (known is not None and text == known.default and not known.required):
                continue
            if definition is not None and known is not None and known.name in definition.connections:
                text = self._named(f"{place}.inputs.{name}", text)
            found[known.name if known else name] = text
        return found

    def _named(self, place: str, value: str) -> str:
        """The names of connections in place of their ids."""
        parts = []
        for part in own_parts(value):
            name = self._connections.get(part.casefold(), "")
            if not name and _GUID.fullmatch(part):
                text = f"the service connection {part} is named by its id"
                self._notes.add(
                    place, text, "give its name: --connection ID=NAME, or --connections with the exported list"
                )
            parts.append(name or part)
        return ",".join(parts)

    def _filled(self, place: str, text: str) -> str:
        """A text with the definition's own parameters put in."""

        def value(match: re.Match[str]) -> str:
            name = match[1].strip().casefold()
            if name not in self._parameters:
                self._notes.add(place, f"there is no parameter '{match[1]}'")
                return match[0]
            return self._parameters[name]

        return _PARAMETER.sub(value, text)


def _names(phases: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, str]:
    """A name for the job of each phase, by its place: its own where that can be one."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for number, (place, phase) in enumerate(phases, 1):
        name = str(phase.get("refName") or "")
        name = name if _IDENTIFIER.fullmatch(name) else f"Job_{number}"
        while name.casefold() in taken:
            name = f"{name}_{number}"
        taken.add(name.casefold())
        found[place] = name
    return found


def _demand(one: Mapping[str, Any]) -> str:
    value = one.get("value")
    return f"{one.get('name')} -equals {value}" if value else str(one.get("name"))


def _cleans(repository: Mapping[str, Any]) -> bool:
    return is_true(repository.get("clean"))
