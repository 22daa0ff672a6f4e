"""Incoming webhooks: who may send them, which pipelines they start, and with what.

Anybody may send to the address, so whoever shows no right checksum is told no more than that nobody takes it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.connections import lookup
from sluice.errors import NotFoundError, SluiceError, UsageError
from sluice.language.webhooks import Webhook, webhooks_of
from sluice.runs import starting
from sluice.runs.predefined import SYSTEM_IDENTITY
from sluice.runs.source import read_pipeline
from sluice.runtime.logging_commands import neutralise
from sluice.storage import connections as rows
from sluice.storage import pipelines, projects, usage
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.connections.connection import ConnectionRecord
    from sluice.runs.orchestrator import Orchestrator
    from sluice.storage.engine import Transaction
    from sluice.storage.pipelines import Pipeline
    from sluice.storage.projects import Project
    from sluice.storage.runs import RunRow

TYPE = "incomingwebhook"
TASK = "webhook"
"""What the usage history shows as the task of a message."""
REASON = "ResourceTrigger"
"""`Build.Reason` of the runs."""

MAX_BODY = 1 << 20
MAX_DEPTH = 50
MAX_VALUES = 20_000
_HASHES = {"sha1": hashlib.sha1, "sha256": hashlib.sha256}


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What a message came to: the runs that it started, and why others were not, by pipeline."""

    runs: tuple[RunRow, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class _Listener:
    """A connection that takes messages of the name, in a project that it belongs to."""

    project: Project
    record: ConnectionRecord


def receive(orchestrator: Orchestrator, name: str, headers: Mapping[str, str], body: bytes) -> Received:
    """Take a message for the webhook of that name and start the pipelines that want it.

    `headers` are the request's, `body` its raw bytes, which the checksum is of. Raises `NotFoundError` when no connection
    takes it, for want of the name or of the right checksum, and `UsageError` for one that is no JSON object.
    """
    listeners = [one for one in _listening(orchestrator, name) if _accepts(orchestrator, one, headers, body)]
    if not listeners:
        raise NotFoundError("there is no webhook of that name that takes this message")
    payload = read_payload(body)
    made: list[RunRow] = []
    refused: list[tuple[str, str]] = []
    for project, pipeline, parameters in _wanted(orchestrator, listeners, payload):
        asked = starting.Asked(parameters=parameters, reason=REASON)
        try:
            made.append(starting.start(orchestrator, project, pipeline, asked, by=SYSTEM_IDENTITY))
        except SluiceError as error:  # another pipeline is not kept from its run
            refused.append((pipeline.name, str(error)))
    return Received(runs=tuple(made), refused=tuple(refused))


def signed(secret: str, shown: str, body: bytes) -> bool:
    """Whether `shown` is the checksum of a body: `sha1=` and the HMAC in hexadecimal digits, or `sha256=` and that one."""
    kind, equals, digest = shown.strip().partition("=")
    algorithm = _HASHES.get(kind.casefold())
    if not equals or algorithm is None:
        return False
    right = hmac.new(secret.encode(), body, algorithm).hexdigest()
    return hmac.compare_digest(right.encode(), digest.strip().casefold().encode("utf-8", "replace"))


def read_payload(body: bytes) -> Mapping[str, object]:
    """The JSON object of a message; raises `UsageError` when it is none, too large or too deep."""
    if len(body) > MAX_BODY:
        raise UsageError(f"the message is larger than {MAX_BODY >> 20} MB")
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        payload = None
    if not isinstance(payload, dict):
        raise UsageError("the message is no JSON object")
    waiting: list[tuple[object, int]] = [(payload, 1)]
    for count, (value, depth) in enumerate(waiting):  # what is found on the way is looked at later
        if count > MAX_VALUES or depth > MAX_DEPTH:
            raise UsageError(f"the message has more than {MAX_VALUES} values or {MAX_DEPTH} levels")
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        waiting.extend((one, depth + 1) for one in inner)
    return payload


def harmless(value: object) -> object:
    """A payload in which nothing is a logging command any more, whatever a script prints of it."""
    if isinstance(value, dict):
        return {neutralise(key): harmless(one) for key, one in value.items()}
    if isinstance(value, list):
        return [harmless(one) for one in value]
    return neutralise(value) if isinstance(value, str) else value


def _listening(orchestrator: Orchestrator, name: str) -> list[_Listener]:
    wanted = name.strip().casefold()
    found = []
    with orchestrator.database.read() as transaction:
        for project in projects.listed(transaction):
            for row in rows.listed(transaction, project.id):
                if row.type.casefold() != TYPE or row.disabled:
                    continue
                record = lookup.to_record(row)
                if wanted and _public(record, "webhookname").strip().casefold() == wanted:
                    found.append(_Listener(project, record))
    return found


def _accepts(orchestrator: Orchestrator, listener: _Listener, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether the sender knows the connection's secret; a connection without one takes everything."""
    record = listener.record
    header = _public(record, "header").strip().casefold()
    has_secret = any(key == "secret" for _, key in (*record.secrets, *record.references))
    if not has_secret:
        return not header  # whoever names a header wants a checksum
    shown = next((value for key, value in headers.items() if key.casefold() == header), "") if header else ""
    if not shown:
        return False
    return _knows_secret(orchestrator, listener, shown, body)


def _knows_secret(orchestrator: Orchestrator, listener: _Listener, shown: str, body: bytes) -> bool:
    """Whether a checksum is right; each look at the secret is in the usage history, with what it came to."""
    use = usage.Use(project_id=listener.project.id, actor=SYSTEM_IDENTITY, task=TASK, step_id=str(uuid.uuid4()))
    right = False
    try:
        opened = orchestrator.store.open(listener.project.id, listener.record.id, use, version=listener.record.version)
        secret = opened.secret("secret")
        right = secret is not None and signed(secret.reveal(), shown, body)
    finally:
        with orchestrator.database.write() as transaction:
            result = "Succeeded" if right else "Failed"
            usage.step_finished(transaction, use.run_id, use.step_id, result, at=orchestrator.clock())
    return right


def _wanted(
    orchestrator: Orchestrator, listeners: list[_Listener], payload: Mapping[str, object]
) -> list[tuple[Project, Pipeline, dict[str, object]]]:
    """The pipelines that want the message, each once, with the parameters that it becomes."""
    found: list[tuple[Project, Pipeline, dict[str, object]]] = []
    accepted: dict[int, tuple[Project, set[str]]] = {}
    for one in listeners:
        accepted.setdefault(one.project.id, (one.project, set()))[1].add(one.record.id)
    with orchestrator.database.read() as transaction:
        for project, ids in accepted.values():
            for pipeline in pipelines.listed(transaction, project.id):
                fitting = _fitting(transaction, project, pipeline, ids, payload)
                if fitting:
                    found.append((project, pipeline, {one.alias: harmless(payload) for one in fitting}))
    return found


def _fitting(
    transaction: Transaction, project: Project, pipeline: Pipeline, ids: set[str], payload: Mapping[str, object]
) -> list[Webhook]:
    try:
        text = read_pipeline(Path(pipeline.source))
    except (SluiceError, OSError):  # its file is gone: there is nothing to start
        return []
    found = []
    for one in webhooks_of(pipeline.source, text):
        record = lookup.find(transaction, project.id, one.connection)
        if record is not None and record.id in ids and one.wants(payload):
            found.append(one)
    return found


def _public(record: ConnectionRecord, key: str) -> str:
    return next((str(value) for name, value in record.parameters.items() if name.casefold() == key), "")
