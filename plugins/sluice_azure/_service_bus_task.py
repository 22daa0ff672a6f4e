"""`PublishToAzureServiceBus@1` and `@2` in an agentless job: one message into a queue."""

from __future__ import annotations

import re

from sluice.plugin import Connection, Secret, TaskFailedError, TaskRun
from sluice_azure._client import bearer
from sluice_azure._environments import DEFAULT
from sluice_azure._identity import kept_identity
from sluice_azure._service_bus import connection_string_of, send

SCOPE = "https://servicebus.azure.net/.default"
_SUFFIXES = {
    "azurecloud": "servicebus.windows.net",
    "azurechinacloud": "servicebus.chinacloudapi.cn",
    "azureusgovernment": "servicebus.usgovcloudapi.net",
    "azuregermancloud": "servicebus.cloudapi.de",
}
_NAMESPACE = re.compile(r"[A-Za-z][A-Za-z0-9-]{4,48}[A-Za-z0-9]")

_STRING = b"\x40\x06string\x08\x33http://schemas.microsoft.com/2003/10/Serialization/"
"""How .NET's data contract serializer begins a string (MS-NBFX): the element, and the name space that it declares."""


def run_publish_to_connection(run: TaskRun) -> None:
    """`PublishToAzureServiceBus@1`: the queue of an Azure Service Bus connection."""
    connection = run.connection("connectedServiceName")
    place = connection_string_of(connection)
    queue = connection.text("serviceBusQueueName")
    _publish(run, connection, place.url, queue, place.signature(queue))


def run_publish(run: TaskRun) -> None:
    """`PublishToAzureServiceBus@2`: a queue of a namespace, with the identity of an Azure Resource Manager connection."""
    connection = run.connection("connectedServiceName")
    url = f"https://{_host(run, connection)}"
    token = kept_identity(connection).token(connection, SCOPE)
    _publish(run, connection, url, run.required("serviceBusQueueName").strip(), bearer(token))


def serialized(text: str) -> bytes:
    """A string as .NET's data contract serializer writes it, in its binary form."""
    raw = text.encode()
    if len(raw) < 1 << 8:
        return _STRING + b"\x99" + len(raw).to_bytes(1, "little") + raw
    if len(raw) < 1 << 16:
        return _STRING + b"\x9b" + len(raw).to_bytes(2, "little") + raw
    return _STRING + b"\x9d" + len(raw).to_bytes(4, "little") + raw


def _publish(run: TaskRun, connection: Connection, url: str, queue: str, authorization: Secret) -> None:
    if run.flag("waitForCompletion"):
        raise TaskFailedError(
            "waitForCompletion: true needs a server of Sluice that the receiver can call back",
            where=run.task,
            do="set waitForCompletion: false: the step ends when the message is in the queue",
        )
    if run.flag("signPayload"):
        raise TaskFailedError("signPayload is not supported", where=run.task, do="sign the body in a step before")
    body = run.input("messageBody")
    plain = run.input("useDataContractSerializer").strip().casefold() == "false"
    send(
        connection,
        url,
        queue,
        authorization,
        body=body.encode() if plain else serialized(body),
        properties=_properties(run),
        session=run.input("sessionId").strip(),
    )
    run.say(f"The message is in the queue '{queue}' of {url}")


def _properties(run: TaskRun) -> dict[str, str]:
    """What receivers call back with, as far as it has a value here."""
    known = {
        "PlanUrl": run.variable("System.CollectionUri"),
        "ProjectId": run.variable("System.TeamProjectId"),
        "HubName": run.variable("System.HostType"),
        "PlanId": run.variable("System.PlanId"),
        "JobId": run.variable("System.JobId"),
        "TimelineId": run.variable("System.TimelineId"),
        "TaskInstanceName": run.variable("System.TaskInstanceName"),
        "TaskInstanceId": run.variable("System.TaskInstanceId"),
    }
    return {name: value for name, value in known.items() if value}


def _host(run: TaskRun, connection: Connection) -> str:
    """The namespace's host: the token goes to Service Bus in the connection's cloud and nowhere else."""
    written = run.required("serviceBusNamespace").strip()
    suffix = _SUFFIXES.get(connection.text("environment", DEFAULT).casefold(), "")
    name = written.casefold().removesuffix(f".{suffix}")
    if not suffix or not _NAMESPACE.fullmatch(name):
        raise TaskFailedError(
            f"'{written[:80]}' is no namespace of Service Bus", where=run.task, do=f"such as NAME, or NAME.{suffix}"
        )
    return f"{name}.{suffix}"
