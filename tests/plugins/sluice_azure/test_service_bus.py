"""Azure Service Bus: connections that are tried, and messages that are sent, against a namespace that checks signatures."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote_plus

import pytest
from tests.doubles.web import Call, Reply

from sluice.errors import VerificationError
from sluice.testing.task_runner import TaskOutcome, run_task
from sluice_azure._service_bus_task import serialized

if TYPE_CHECKING:
    from tests.conftest import Giver
    from tests.plugins.sluice_azure.conftest import World

    from sluice.connections.connection import ConnectionRecord

SAS_KEY = "c2FzLWtleS0wMTIzNDU2Nzg5"


def refused(world: World, record: ConnectionRecord) -> VerificationError:
    with pytest.raises(VerificationError) as caught:
        world.verify(record)
    return caught.value


class Queues:
    """The queues of a namespace: described to whoever has the right Manage, sent to by whoever may."""

    def __init__(self, world: World) -> None:
        self.azure = world.azure
        self.host = "orders-ns.servicebus.windows.net"
        self.manages = True
        self.messages: list[Call] = []
        world.azure.services[self.host] = self.answer

    def answer(self, call: Call) -> Reply:
        kind, _, text = call.headers.get("authorization", "").partition(" ")
        parts = {name: values[0] for name, values in parse_qs(text).items()}
        caller = self.azure.entra.caller(call, "https://servicebus.azure.net") if kind == "Bearer" else None
        if caller is None and (kind != "SharedAccessSignature" or not self._signed(call, parts)):
            return Reply(401, b"<Error><Code>401</Code><Detail>InvalidSignature</Detail></Error>")
        if call.method == "POST":
            return self._send(call)
        if not self.manages:
            text = "Unauthorized access. 'Manage' claim(s) are required"
            return Reply(401, f"<Error><Code>401</Code><Detail>{text}</Detail></Error>".encode())
        if call.path != "/orders":
            return Reply(200, b"<feed></feed>", content="application/atom+xml")
        return Reply(200, b"<entry><content><QueueDescription/></content></entry>", content="application/atom+xml")

    def _send(self, call: Call) -> Reply:
        if call.path != "/orders/messages":
            return Reply(404, b"<Error><Code>404</Code></Error>")
        json.loads(call.headers["brokerproperties"])
        self.messages.append(call)
        return Reply(201, b"")

    def _signed(self, call: Call, parts: dict[str, str]) -> bool:
        resource = f"https://{self.host}{call.path.removesuffix('/messages')}"
        expires = parts.get("se", "0")
        text = f"{quote_plus(resource)}\n{expires}".encode()
        right = base64.b64encode(hmac.new(SAS_KEY.encode(), text, hashlib.sha256).digest()).decode()
        return (
            parts.get("sr") == resource
            and parts.get("sig") == right
            and time.time() < int(expires) <= time.time() + 600
        )


def bus(world: World, name: str, key: str = SAS_KEY, queue: str = "orders") -> ConnectionRecord:
    text = f"Endpoint=sb://orders-ns.servicebus.windows.net/;SharedAccessKeyName=send;SharedAccessKey={key}"
    return world.create(
        "None",
        {"subscriptionId": "", "subscriptionName": "", "tenantid": ""},
        type="AzureServiceBus",
        name=name,
        secrets={"serviceBusConnectionString": text},
        serviceBusQueueName=queue,
    )


def test_a_connection_string_is_checked_against_its_queue(world: World, evidence: Giver) -> None:
    queues = Queues(world)
    assert "has the queue 'orders'" in world.verify(bus(world, "right"))
    evidence("AzureServiceBus", "None", "verified right", "Azure (double)")
    assert (
        "does not accept the connection string" in refused(world, bus(world, "wrong", key="d3Jvbmcta2V5LTAxMjM=")).what
    )
    assert "has no queue 'nothing'" in refused(world, bus(world, "lost", queue="nothing")).what
    evidence("AzureServiceBus", "None", "verified wrong", "Azure (double)")
    queues.manages = False
    assert "knows the key; it may not look" in world.verify(bus(world, "sender"))


def publish(world: World, record: ConnectionRecord, inputs: Mapping[str, str], major: int = 2) -> TaskOutcome:
    given = {"messageBody": "hello", "useDataContractSerializer": "false", **inputs}
    if major == 2:
        given = {"serviceBusQueueName": "orders", "serviceBusNamespace": "orders-ns", **given}
    return run_task(
        f"PublishToAzureServiceBus@{major}",
        connections={"connectedServiceName": world.open(record)},
        inputs=given,
        variables={"System.JobId": "j1", "System.PlanId": "p1"},
    )


@pytest.mark.parametrize("scheme", ["ServicePrincipal", "WorkloadIdentityFederation"])
def test_a_message_is_sent_with_an_identity(world: World, evidence: Giver, scheme: str) -> None:
    world.federate()
    queues = Queues(world)
    done = publish(world, world.create(scheme), {"sessionId": "s1"})
    assert done.result == "Succeeded", done.log
    (call,) = queues.messages
    assert call.body == b"hello"
    assert json.loads(call.headers["brokerproperties"]) == {"SessionId": "s1"}
    assert (call.headers["jobid"], call.headers["planid"]) == ('"j1"', '"p1"')
    evidence("azurerm", scheme, "used", "Azure (double)", task="PublishToAzureServiceBus@2")


def test_a_message_is_sent_with_a_connection_string(world: World, evidence: Giver) -> None:
    queues = Queues(world)
    queues.manages = False
    done = publish(world, bus(world, "bus"), {"useDataContractSerializer": "true"}, major=1)
    assert done.result == "Succeeded", done.log
    assert queues.messages[0].body == serialized("hello")
    evidence("AzureServiceBus", "None", "used", "Azure (double)", task="PublishToAzureServiceBus@1")
    done = publish(world, bus(world, "wrong", key="d3Jvbmcta2V5LTAxMjM="), {}, major=1)
    assert "does not accept the credentials" in done.message
    assert "d3Jvbmcta2V5" not in done.log


def test_a_string_is_serialized_as_a_data_contract() -> None:
    start = b"@\x06string\x083http://schemas.microsoft.com/2003/10/Serialization/"
    assert serialized("abc") == start + b"\x99\x03abc"
    assert serialized("x" * 300) == start + b"\x9b\x2c\x01" + b"x" * 300
    assert serialized("x" * 70000)[len(start) :][:5] == b"\x9d\x70\x11\x01\x00"


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ({"serviceBusNamespace": "evil.example"}, "is no namespace of Service Bus"),
        ({"serviceBusNamespace": "orders-ns.servicebus.windows.net.evil.example"}, "is no namespace"),
        ({"serviceBusQueueName": "a/../b"}, "is no name of a queue"),
        ({"waitForCompletion": "true"}, "needs a server of Sluice"),
        ({"signPayload": "true"}, "is not supported"),
    ],
)
def test_what_cannot_be_is_told_and_nothing_is_sent(world: World, inputs: dict[str, str], told: str) -> None:
    queues = Queues(world)
    done = publish(world, world.create(), inputs)
    assert done.result == "Failed"
    assert told in done.message
    assert queues.messages == []
    assert (
        "has no queue 'nothing'"
        in publish(world, world.store.get("default", "cloud"), {"serviceBusQueueName": "nothing"}).message
    )
