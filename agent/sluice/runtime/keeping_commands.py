"""Logging commands that leave something behind: artifacts, attachments, tags, the run's number, nested records."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from sluice.errors import SluiceError
from sluice.runtime.artifacts.publishing import (
    attach,
    check_name,
    find,
    keeper_of,
    publish,
)
from sluice.runtime.events import DetailChanged, TagAdded
from sluice.runtime.keeping import CONTAINER, FILE_SHARE, Artifact
from sluice.runtime.logging_commands import Command
from sluice.runtime.step_scope import StepScope

LOG = "DistributedTask.Core.Log"
SUMMARY = "DistributedTask.Core.Summary"
FILE = "DistributedTask.Core.FileAttachment"
MAX_TAG = 255
MAX_TAGS = 1_000
"""How many different tags the steps of one job may give their run."""

MAX_DETAILS = 10_000
"""How many nested records the steps of one job may have."""

MAX_DETAIL = 1024
"""So many characters of each text of a nested record are kept."""

_STATES = ("Pending", "InProgress", "Completed")
_RESULTS = ("Succeeded", "SucceededWithIssues", "Failed", "Canceled", "Skipped", "Abandoned")
_NO_PARENT = str(uuid.UUID(int=0))
_TYPES = {"container": CONTAINER, "filepath": FILE_SHARE, "versioncontrol": "VersionControl"}
_OWN_PROPERTIES = frozenset({"artifactname", "artifacttype", "type", "containerfolder"})


class KeepError(SluiceError):
    """A command that cannot be carried out, in the agent's words."""


class KeepingCommands:
    """Carries these commands out for one step. They raise `SluiceError` when they cannot be: the step fails."""

    def __init__(self, scope: StepScope) -> None:
        self._scope = scope
        self._details: dict[str, DetailChanged] = {}
        self._effects: Mapping[str, Callable[[Command], None]] = {
            "artifact.associate": self._associate,
            "artifact.upload": self._upload,
            "build.addbuildtag": self._tag,
            "build.updatebuildnumber": self._rename,
            "build.uploadlog": lambda command: self._attach(command, LOG, "CustomToolLog"),
            "build.uploadsummary": lambda command: self._attach(command, SUMMARY, "", "CustomMarkDownSummary-"),
            "codecoverage.publish": self._coverage,
            "results.publish": self._results,
            "task.addattachment": self._add_attachment,
            "task.logdetail": self._detail,
            "task.uploadfile": lambda command: self._attach(command, FILE),
            "task.uploadsummary": lambda command: self._attach(command, SUMMARY),
        }

    def run(self, command: Command) -> None:
        """Carry out a command of these areas, which has an effect here."""
        self._effects[command.name](command)

    def _associate(self, command: Command) -> None:
        name, location = self._artifact_name(command), command.data.strip()
        kind = command.properties.get("artifacttype", "") or command.properties.get("type", "") or _inferred(location)
        kind = _TYPES.get(kind.casefold(), kind)
        if kind in _TYPES.values() and not location:
            raise KeepError("Artifact location is required.")
        scope = self._scope
        artifact = Artifact(
            name=name, type=scope.masked(kind), location=scope.masked(location), properties=self._properties(command)
        )
        keeper_of(scope).publish(scope.job.request, scope.step, artifact)
        scope.say(f"Associated artifact {name} with build {scope.job.request.run_id}")

    def _upload(self, command: Command) -> None:
        name = self._artifact_name(command)
        if not command.data.strip():
            raise KeepError("Artifact location is required.")
        scope, path = self._scope, self._path(command)
        if not path.exists():
            raise KeepError(f"Path does not exist: {command.data.strip()}")
        if path.is_dir() and not any(one.kind == "file" for one in find(scope, path)):
            scope.issue("warning", f"Directory '{path}' is empty. Nothing will be added to build artifact '{name}'.")
            return
        publish(scope, path, name, type=CONTAINER, properties=self._properties(command))
        folder = command.properties.get("containerfolder") or name
        scope.say(f"Upload '{path}' to file container: '#/{scope.job.request.run_id}/{folder}'")
        scope.say(f"Associated artifact {name} with build {scope.job.request.run_id}")

    def _artifact_name(self, command: Command) -> str:
        name = self._scope.masked(command.properties.get("artifactname", "").strip())
        if not name:
            raise KeepError("Artifact Name is required.")
        return check_name(name)

    def _properties(self, command: Command) -> dict[str, str]:
        masked = self._scope.masked
        return {masked(key): masked(value) for key, value in command.properties.items() if key not in _OWN_PROPERTIES}

    def _add_attachment(self, command: Command) -> None:
        kind, name = (self._scope.masked(command.properties.get(key, "").strip()) for key in ("type", "name"))
        if not kind:
            raise KeepError("Can't add task attachment, attachment type is not provided.")
        if not name:
            raise KeepError("Can't add task attachment, attachment name is not provided.")
        for text, what in ((kind, "type"), (name, "name")):
            if "/" in text or not text.isprintable() or text in {".", ".."} or len(text) > 255:
                raise KeepError(f"Can't add task attachment, the {what} '{text[:255]}' is no name of a file.")
        self._attach(command, kind, name)

    def _attach(self, command: Command, kind: str, name: str = "", prefix: str = "") -> None:
        scope, path = self._scope, self._path(command)
        if not command.data.strip() or not path.is_file():
            raise KeepError(f"Cannot upload file, it does not exist: {command.data}")
        attach(scope, path, kind, name or scope.masked(f"{prefix}{path.name}"))

    def _path(self, command: Command) -> Path:
        return self._scope.host_path(command.data.strip())

    def _tag(self, command: Command) -> None:
        tag = self._scope.masked(command.data.strip())
        if not tag:
            raise KeepError("Build tag is required.")
        if not tag.isprintable() or len(tag) > MAX_TAG:
            why = f"it is no line of at most {MAX_TAG} characters"
            raise KeepError(f"Build tag '{tag[:MAX_TAG]}' was not added successfully", why=why)
        scope = self._scope
        with scope.job.lock:
            known = tag.casefold() in scope.job.tags
        if known or not scope.may_keep("tags", MAX_TAGS):
            return
        with scope.job.lock:
            scope.job.tags.add(tag.casefold())
        scope.job.emit(TagAdded(job=scope.job.request.id, step=scope.step.id, tag=tag))
        scope.debug(f"Build '{scope.job.request.run_id}' has the tag '{tag}' now")

    def _rename(self, command: Command) -> None:
        number = command.data.strip()
        if not number:
            raise KeepError("Build number is required.")
        if self._scope.masked(number) != number:
            raise KeepError(
                "The build number holds a secret",
                why="everybody who sees the run sees its number",
                do="write a number without it, or do not make a secret of what is none",
            )
        keeper_of(self._scope).rename(number)
        self._scope.job.variables.set("Build.BuildNumber", number)
        self._scope.debug(f"Update build number to {number} for build {self._scope.job.request.run_id}")

    def _results(self, command: Command) -> None:
        from sluice.runtime.testresults.publishing import Wanted, publish_results

        given = command.properties
        if not given.get("type"):
            raise KeepError("Required field 'type' is missing in ##vso[results.publish] command.")
        names = [name.strip() for name in (command.data or given.get("resultfiles", "")).split(",") if name.strip()]
        if not names:
            raise KeepError("No test result files are named in ##vso[results.publish] command.")
        wanted = Wanted(
            runner=given["type"].strip(),
            title=given.get("runtitle", "").strip(),
            merge=given.get("mergeresults", "true").strip().casefold() == "true",
            platform=given.get("platform", "").strip(),
            configuration=given.get("config", "").strip(),
            attach=given.get("publishrunattachments", "true").strip().casefold() == "true",
            fail_on_failures=command.flag("failtaskonfailedtests"),
        )
        files = [self._scope.host_path(name) for name in names]
        if missing := next((name for name, file in zip(names, files, strict=True) if not file.is_file()), None):
            raise KeepError(f"Cannot publish test results, the file does not exist: {missing}")
        publish_results(self._scope, files, wanted)

    def _coverage(self, command: Command) -> None:
        from sluice.runtime.testresults.coverage import publish_coverage

        given, at = command.properties, self._scope.host_path
        for key in ("codecoveragetool", "summaryfile"):
            if not given.get(key):
                raise KeepError(f"Required field '{key}' is missing in ##vso[codecoverage.publish] command.")
        more = [at(name.strip()) for name in given.get("additionalcodecoveragefiles", "").split(",") if name.strip()]
        report = given.get("reportdirectory", "").strip()
        summary = at(given["summaryfile"].strip())
        publish_coverage(self._scope, [summary], report=at(report) if report else None, more=more)

    def _detail(self, command: Command) -> None:
        given = {key: self._scope.masked(value)[:MAX_DETAIL] for key, value in command.properties.items()}
        detail_id = _guid(given, "id")
        if detail_id == _NO_PARENT:
            raise KeepError("Can't update timeline record, timeline record id is not provided.")
        known = self._details.get(detail_id)
        parent = _guid(given, "parentid") if given.get("parentid") else None
        if given.get("type", "").casefold() == "job":
            raise KeepError("A timeline record of the type 'Job' cannot be added by a step.")
        if known is None and not self._scope.may_keep("timeline records", MAX_DETAILS):
            return
        detail = _changed(known, given, parent) if known else self._new(detail_id, given, parent)
        if command.data:
            detail = replace(detail, operation=self._scope.masked(command.data)[:MAX_DETAIL])
        if detail.state == "Completed" and "progress" not in given:
            detail = replace(detail, percent=100)
        self._details[detail_id] = detail
        self._scope.job.emit(detail)

    def _new(self, detail_id: str, given: Mapping[str, str], parent: str | None) -> DetailChanged:
        if not given.get("name"):
            raise KeepError("Name is required for this new timeline record.")
        if not given.get("type"):
            raise KeepError("Type is required for this new timeline record.")
        if parent not in {None, _NO_PARENT} and parent not in self._details:
            raise KeepError("Parent timeline record has not been created for this new timeline record.")
        new = DetailChanged(
            job=self._scope.job.request.id,
            step=self._scope.step.id,
            id=detail_id,
            parent="" if parent in {None, _NO_PARENT} else str(parent),
            type=given["type"],
            name=given["name"],
            state="InProgress",
        )
        return _with(new, given)


def _changed(known: DetailChanged, given: Mapping[str, str], parent: str | None) -> DetailChanged:
    if parent is not None and parent != (known.parent or _NO_PARENT):
        raise KeepError("Can't change parent timeline record of an existing timeline record.")
    return _with(known, given)


def _with(detail: DetailChanged, given: Mapping[str, str]) -> DetailChanged:
    """What a command tells of a record; what cannot be read stays as it was, as the agent has it."""
    order, progress = _number(given.get("order")), _number(given.get("progress"))
    state, result = given.get("state"), given.get("result")
    return replace(
        detail,
        name=given.get("name") or detail.name,
        type=given.get("type") or detail.type,
        order=detail.order if order is None else order,
        percent=detail.percent if progress is None else max(0, min(100, progress)),
        started=given.get("starttime") or detail.started,
        finished=given.get("finishtime") or detail.finished,
        state=detail.state if state is None else state if state in _STATES else _STATES[0],
        result=detail.result if result is None else result if result in _RESULTS else _RESULTS[0],
    )


def _number(text: str | None) -> int | None:
    stripped = (text or "").strip()
    digits = stripped.removeprefix("-")
    return int(stripped) if digits.isascii() and digits.isdecimal() and len(digits) < 10 else None


def _guid(given: Mapping[str, str], key: str) -> str:
    text = given.get(key, "")
    if not text:
        raise KeepError("Can't update timeline record, timeline record id is not provided.")
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise KeepError(f"'{key}' of ##vso[task.logdetail] is not a GUID.") from None


def _inferred(location: str) -> str:
    if location.startswith("\\\\"):
        return FILE_SHARE
    if location.startswith(("$/", "$\\")):
        return "VersionControl"
    if location.startswith("#"):
        return CONTAINER
    raise KeepError(f"Can't infer artifact type from artifact location: {location}.")
