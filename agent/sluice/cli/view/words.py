"""The words and forms that both views use: results, elapsed times, names of records, places of issues."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from sluice.authorization import texts
from sluice.cli.view.controls import one_line
from sluice.runs.outcomes import elapsed, in_words

if TYPE_CHECKING:
    from sluice.storage.records import RecordRow
    from sluice.storage.requests import RequestRow

IMPLICIT: Final = "__default"
"""The name of a stage, or of a job's only instance, that nobody wrote."""

_STATES: Final = {"pending": "not started", "waiting": "waiting", "inProgress": "in progress"}


def result(record_result: str) -> str:
    """A result as a person says it."""
    return one_line(in_words(record_result))


def outcome(state: str, record_result: str) -> str:
    """The result of what is over, the state of what is not."""
    return result(record_result) if state == "completed" else _STATES.get(state) or one_line(state)


def duration(record: RecordRow, now: float | None = None) -> str:
    """How long a record took (with `now`: has taken so far); '' when it never started."""
    end = record.finished_at if record.finished_at is not None else now
    if record.started_at is None or end is None:
        return ""
    return elapsed(end - record.started_at)


def path(identifier: str) -> str:
    """A dotted identifier without the names that nobody wrote."""
    return one_line(".".join(part for part in identifier.split(".") if part != IMPLICIT)) or IMPLICIT


def job_path(step_identifier: str) -> str:
    """The path of the job that a step belongs to."""
    return path(step_identifier.rpartition(".")[0])


def name(record: RecordRow) -> str:
    """A record's display name."""
    return one_line(record.name) or path(record.identifier)


def title(record: RecordRow) -> str:
    """A stage's or job's path, with its display name where that says more, and the attempt after the first."""
    text = path(record.identifier)
    shown = name(record)
    if shown.casefold() not in {text.casefold(), text.rpartition(".")[2].casefold(), IMPLICIT}:
        text += f" ({shown})"
    return f"{text}, attempt {record.attempt}" if record.attempt > 1 else text


def is_error(issue: Mapping[str, Any]) -> bool:
    """Whether an issue is an error; anything else is a warning."""
    return str(issue.get("type", "error")).lower() == "error"


def issue_text(issue: Mapping[str, Any]) -> str:
    """An issue's message, and the place in the source that it names."""
    data = issue.get("data") or {}
    message = one_line(str(issue.get("message", "")))
    if not isinstance(data, Mapping) or not data.get("sourcepath"):
        return message
    numbers = [str(data[key]) for key in ("linenumber", "columnnumber") if data.get(key)]
    return f"{_without_place(message, one_line(str(data['sourcepath'])))} ({one_line(':'.join([str(data['sourcepath']), *numbers]))})"


def _without_place(message: str, path: str) -> str:
    """A message without the `path(line,column): error` in front of it, which is told otherwise; its code stays."""
    match = re.match(rf"{re.escape(path)}\([0-9]*,[0-9]*\): (?:error|warning)(?: ([^:]*))?: ", message)
    if match is None:
        return message
    return f"{match[1]}: {message[match.end() :]}" if match[1] else message[match.end() :]


def resource(request: RequestRow) -> str:
    """A resource by type and name."""
    return f"{texts.TYPE_LABELS.get(request.resource_type, request.resource_type)} '{one_line(request.resource_name)}'"


def needed(request: RequestRow) -> str:
    """What a person is to do about what a run waits for."""
    if request.resource_type == texts.VALIDATION:
        return f"To be approved or rejected before {moment(request.expires_at)}"
    if request.resource_type == texts.DELAY:
        return f"Until {moment(request.expires_at)}"
    if request.resource_type in texts.CHECKS:
        return one_line(request.detail)
    if request.resource_type == "endpoint" and request.detail == texts.DISABLED:
        return f"{one_line(request.detail[:1].upper() + request.detail[1:])}; enabled, the run goes on"
    if request.resource_type == texts.STAGE:
        return "To be started"
    return f"{texts.PERMISSION_NEEDED}; {one_line(request.detail)}" if request.detail else texts.PERMISSION_NEEDED


def wait_of_job(job: RecordRow) -> str:
    """What a job waits for."""
    from sluice.runs.step_waits import wait_of

    wait = wait_of(job.details)
    if wait is None:
        return "waits for permission"
    return "waits for a person" if wait.kind == texts.VALIDATION else f"waits until {moment(wait.due)}"


def moment(seconds: float) -> str:
    """A time of the day, with the day."""
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


_PERMIT_OPTIONS = {
    "endpoint": "--connection",
    "variablegroup": "--variable-group",
    "environment": "--environment",
    "securefile": "--secure-file",
    "repository": "--repository",
    "queue": "--pool",
}


def permit_command(request: RequestRow) -> str:
    """The command that permits a resource (or starts a stage), ready for a shell."""
    if request.resource_type == texts.STAGE:
        return f"sluice runs start {request.run_id} --stage {shlex.quote(one_line(request.resource_id))}"
    if request.resource_type == texts.VALIDATION:
        return f"sluice approve {request.run_id}"
    if request.resource_type == texts.APPROVAL:
        return f"sluice approve {request.run_id} --check {request.resource_id}"
    if request.resource_type == texts.CHECK:
        return f"sluice resume {request.run_id}"
    if request.resource_type == texts.DELAY:
        return f"sluice resume {request.run_id}"
    if request.resource_type == "endpoint" and request.detail == texts.DISABLED:
        return f"sluice connection update {shlex.quote(one_line(request.resource_name))} --enable"
    command = f"sluice permit {request.run_id}"
    option = _PERMIT_OPTIONS.get(request.resource_type)
    return f"{command} {option} {shlex.quote(one_line(request.resource_name))}" if option else command
