"""What Invoke REST API and Invoke Azure Function have in common: one request, and who decides then.

In callback mode the far side takes the request within three seconds and says how the check ended later. In response
mode it answers at once: 2xx, and a body that fulfils the success criteria where there are any.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sluice.plugin import (
    Answer,
    CheckRun,
    Connection,
    Decision,
    Probe,
    Proposed,
    Secret,
    SluiceError,
)
from sluice_checks._types import BODY_METHODS, DEFAULT_HEADERS

SECONDS = 3.0
"""Documented: how long the far side may take to answer, or to acknowledge."""
MOST_RETRIES = 10
"""Documented: how many evaluations a check in response mode may ask for at most."""
_ANSWER = 1 << 20
_LONGEST = 1 << 20
_MACRO = re.compile(r"\$\([^()\r\n]{1,400}\)")
_PLAIN = re.compile(r"[\w.+-]*", re.ASCII)
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NOT_OURS = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade", "expect"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Whom to ask; `connection` is the one that pays for it, or stands for the URL where there is none."""

    connection: Connection
    url: str
    authorization: Secret | None = None
    headers: Mapping[str, Secret] = field(default_factory=dict)


def is_callback(settings: Mapping[str, str | Secret]) -> bool:
    """Whether the far side calls back."""
    return str(settings.get("waitForCompletion", "")).strip().casefold() == "true"


def with_system_variables(run: CheckRun) -> CheckRun:
    """The evaluation with the variables that its default headers name; the token is only for who calls back."""
    known = run.callback.headers if run.callback else {}
    token = run.callback.token if run.callback and is_callback(run.settings) else Secret("")
    plan = known.get("PlanId", run.facts.plan_id)
    system: dict[str, str | Secret] = {
        "system.CollectionUri": known.get("PlanUrl", ""),
        "system.TeamProjectId": known.get("ProjectId", run.facts.project_id),
        "system.HostType": known.get("HubName", "build"),
        "system.PlanId": plan,
        "system.TimelineId": plan,
        "system.JobId": known.get("JobId", ""),
        "system.TaskInstanceId": known.get("TaskInstanceId", ""),
        "system.AccessToken": token,
    }
    ours = {name.casefold() for name in system}
    others = {name: value for name, value in run.variables.items() if name.casefold() not in ours}
    return replace(run, variables={**others, **system})


def decide(run: CheckRun, target: Target) -> Decision:
    """Ask, and say what follows; `run` has the system's variables."""
    if is_callback(run.settings):
        return _deliver(run, target)
    answer = _send(run, target)
    if not answer.ok:
        return Decision.rejected(f"{answer.origin} answered {answer.shown}")
    criteria = run.setting("successCriteria").strip()
    if not criteria:
        return Decision.approved(f"{answer.origin} answered {answer.shown}")
    return _judge(run, answer, _expanded(run, criteria))


def problems(proposed: Proposed) -> tuple[str, ...]:
    """What the documented rules of compliance refuse, and what could not be sent or evaluated."""
    found: list[str] = []
    interval, callback = proposed.retry_interval, is_callback(proposed.settings)
    if callback and interval:
        found.append("a check that is called back is asked once: the time between evaluations has to be 0")
    if not callback and interval and proposed.timeout > MOST_RETRIES * interval:
        text = (
            f"{proposed.timeout} minutes with an evaluation every {interval} are more than {MOST_RETRIES} evaluations"
        )
        found.append(f"{text}: shorten the timeout, or lengthen the time between evaluations")
    try:
        read_headers(_public(proposed, "headers"))
    except SluiceError as error:
        found.append(f"headers: {error.what}")
    else:
        told = f"{_public(proposed, 'headers').strip() or DEFAULT_HEADERS}{_public(proposed, 'body')}"
        if callback and "$(system.accesstoken)" not in told.casefold():
            found.append("headers: without $(system.AccessToken) in them, or in the body, the service cannot answer")
    criteria = _public(proposed, "successCriteria").strip()
    if criteria and callback:
        found.append("successCriteria are for a check that is not called back: who calls back has decided")
    elif criteria and (problem := proposed.criteria.problem(_MACRO.sub("0", criteria))):
        found.append(f"successCriteria: {problem}")
    return tuple(found)


def _deliver(run: CheckRun, target: Target) -> Decision:
    if run.so_far is not None and run.so_far.last is not None and run.so_far.last.outcome == "waiting":
        return run.so_far.last  # it has been asked; nobody is asked twice
    if run.callback is None:
        return Decision.error("nobody could call back")
    answer = _send(run, target)
    if not answer.ok:
        return Decision.error(f"{answer.origin} did not acknowledge the check: it answered {answer.shown}")
    mine = run.callback.headers.get("TaskInstanceId", "")
    if run.callback.url or not mine:  # none in a simulation: nothing waits for its answer
        return Decision.waiting(f"{answer.origin} has been asked and calls back")
    command = f"sluice check complete {run.facts.run_id} {mine}"
    return Decision.waiting(
        f"{answer.origin} has been asked; no server runs for its answer, so hand it over: {command}"
    )


def _send(run: CheckRun, target: Target) -> Answer:
    method = run.setting("method").strip().upper() or "POST"
    body = run.expand_secret(run.setting("body")).reveal().encode() if method in BODY_METHODS else b""
    if len(body) > _LONGEST:
        raise SluiceError("the body of the request is longer than 1 MiB")
    headers = {name: value.reveal() for name, value in {**_headers(run), **target.headers}.items()}
    probe = Probe(connection=target.connection, authorization=target.authorization, headers=headers, seconds=SECONDS)
    return probe.ask(target.url, method=method, body=body, limit=_ANSWER + 1)


def _judge(run: CheckRun, answer: Answer, criteria: str) -> Decision:
    if len(answer.body) > _ANSWER:
        return Decision.error(f"{answer.origin} answered more than 1 MiB")
    try:
        root = json.loads(answer.body)
        held = run.criteria.holds(criteria, root)
    except ValueError:
        return Decision.rejected(f"{answer.origin} answered no JSON, which the success criteria need")
    except RecursionError:
        return Decision.rejected(f"{answer.origin} answered JSON that is nested too deep")
    if held:
        return Decision.approved(f"the answer of {answer.origin} fulfils the success criteria")
    return Decision.rejected(f"the answer of {answer.origin} does not fulfil the success criteria")


def _expanded(run: CheckRun, criteria: str) -> str:
    """The criteria with values of variables as texts or numbers in them, never as a part of the expression."""

    def replace_one(match: re.Match[str]) -> str:
        value = run.expand(match[0])
        if criteria.count("'", 0, match.start()) % 2:
            return value.replace("'", "''")
        if not _PLAIN.fullmatch(value):
            raise SluiceError(f"successCriteria: write '{match[0]}' in quotes; its value is no number")
        return value

    return _MACRO.sub(replace_one, criteria)


def _headers(run: CheckRun) -> dict[str, Secret]:
    """The headers with their variables; those that are empty then are left out."""
    found: dict[str, Secret] = {}
    for name, text in read_headers(run.setting("headers")).items():
        value = run.expand_secret(text)
        if _CONTROL.search(value.reveal()):
            raise SluiceError(f"the value of the header '{name}' holds a line break or another control character")
        if value.reveal():
            found[name] = value
    return found


def read_headers(text: str) -> dict[str, str]:
    """The headers as configured; read before variables come in, so that none of these adds a header."""
    try:
        read = json.loads(text if text.strip() else DEFAULT_HEADERS)
    except (ValueError, RecursionError):
        raise SluiceError('write a JSON object, such as {"Content-Type": "application/json"}') from None
    if not isinstance(read, dict):
        raise SluiceError('write a JSON object, such as {"Content-Type": "application/json"}')
    for name, value in read.items():
        if not _HEADER.fullmatch(name) or name.casefold() in _NOT_OURS:
            raise SluiceError(f"there is no header {name[:80]!r} that can be set")
        if isinstance(value, bool) or not isinstance(value, str | int | float) or _CONTROL.search(str(value)):
            raise SluiceError(f"the value of '{name}' is no text of one line")
    return {name: str(value) for name, value in read.items()}


def _public(proposed: Proposed, key: str) -> str:
    value = proposed.settings.get(key, "")
    return value if isinstance(value, str) else ""


def unreachable(error: SluiceError) -> Decision:
    """Nobody answered, or not in time: the text of a probe names no secret."""
    return Decision.error(f"{error.what}: {error.why}" if error.why else error.what)
