from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from tests.doubles.web import Call, Double, Reply, served

from sluice.plugin import CanceledError, Secret
from sluice_kubernetes._access import Access
from sluice_kubernetes._cluster import TRIES, Cluster, ClusterError, open_cluster
from sluice_kubernetes._objects import apply

BUSY = Reply(429, {"kind": "Status", "message": "too many requests"}, headers={"Retry-After": "0"})
FINE = Reply(200, {"kind": "Pod"})


class Server(Double):
    """Answers one by one; the last answer again and again."""

    def __init__(self, *replies: Reply) -> None:
        super().__init__()
        self.replies = list(replies)

    def answer(self, call: Call) -> Reply:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


@pytest.fixture
def server() -> Iterator[Server]:
    double = Server(FINE)
    with served(double):
        yield double


@pytest.fixture
def cluster(server: Server) -> Iterator[Cluster]:
    access = Access(server=server.url, token=Secret("a-token"))
    with open_cluster(access, where="cluster") as opened:
        yield opened


def test_a_server_that_is_asked_too_often_is_asked_again(server: Server, cluster: Cluster) -> None:
    server.replies = [BUSY, BUSY, FINE]
    assert cluster.ask("POST", "/api/v1/pods", body={"a": 1}) == {"kind": "Pod"}
    assert [json.loads(call.body) for call in server.calls] == [{"a": 1}] * 3


def test_a_server_that_stays_busy_is_left_alone(server: Server, cluster: Cluster) -> None:
    server.replies = [BUSY]
    with pytest.raises(ClusterError, match="too many requests"):
        cluster.ask("GET", "/api/v1/pods")
    assert len(server.calls) == TRIES


def test_a_cancellation_ends_a_pause(server: Server, cluster: Cluster) -> None:
    server.replies = [Reply(429, BUSY.body, headers={"Retry-After": "3000"})]
    threading.Timer(0.1, cluster.hang_up).start()
    with pytest.raises(CanceledError):
        cluster.ask("GET", "/api/v1/pods")


def test_a_cancellation_ends_what_is_waited_for(server: Server, cluster: Cluster) -> None:
    waits = threading.Event()

    def answer(call: Call) -> Reply:
        cluster.hang_up()
        waits.wait(30)
        return FINE

    server.answer = answer  # type: ignore[method-assign]  # this one server hangs
    with pytest.raises(CanceledError):
        cluster.ask("GET", "/api/v1/pods")
    waits.set()


def test_the_token_is_shown_to_the_server_and_to_nobody_else(server: Server, cluster: Cluster) -> None:
    for _ in range(3):
        cluster.ask("GET", "/api/v1/pods")
    assert {call.headers["authorization"] for call in server.calls} == {"Bearer a-token"}
    assert "a-token" not in repr(cluster)


@pytest.mark.parametrize(
    ("reply", "told", "why"),
    [
        (Reply(403, {"kind": "Status", "reason": "Forbidden", "message": "not\n yours"}), "not yours", ""),
        (Reply(401, {"kind": "Status"}), "does not accept the credentials", "expired"),
        (Reply(500, {"kind": "Status"}), r"refuses the request \(500\)", ""),
        (Reply(502, b"<html>", content="text/html"), "does not answer as an API server", "502"),
        (Reply(200, b"[1]"), "does not answer as an API server", ""),
    ],
)
def test_a_refusal_is_told_by_its_reason(server: Server, cluster: Cluster, reply: Reply, told: str, why: str) -> None:
    server.replies = [reply]
    with pytest.raises(ClusterError, match=told) as refusal:
        cluster.ask("GET", "/api/v1/pods")
    assert why in refusal.value.why
    assert refusal.value.status == reply.status


def test_kinds_and_their_short_names_are_asked_for_once(server: Server, cluster: Cluster) -> None:
    listed: dict[str, list[dict[str, Any]]] = {
        "/api/v1": [
            {"name": "pods", "singularName": "pod", "kind": "Pod", "shortNames": ["po"], "namespaced": True},
            {"name": "pods/log", "kind": "Pod", "namespaced": True},
        ],
        "/apis/apps/v1": [{"name": "deployments", "kind": "Deployment", "shortNames": ["deploy"], "namespaced": True}],
        "/apis/example.org/v2": [{"name": "widgets", "kind": "Widget"}],
    }

    def answer(call: Call) -> Reply:
        if call.path == "/apis":
            return Reply(200, {"groups": [{"preferredVersion": {"groupVersion": "example.org/v2"}}]})
        return Reply(200, {"resources": listed[call.path]}) if call.path in listed else Reply(404, {"kind": "Status"})

    server.answer = answer  # type: ignore[method-assign]  # it lists what it has
    assert cluster.find_resource("po").path("shop", "a b") == "/api/v1/namespaces/shop/pods/a%20b"
    assert cluster.find_resource("Deploy").plural == "deployments"
    assert cluster.find_resource("deployments.apps").kind == "Deployment"
    assert cluster.find_resource("widgets.example.org").path() == "/apis/example.org/v2/widgets"
    assert cluster.resource("v1", "pod").kind == "Pod"
    with pytest.raises(ClusterError, match="doesn't have a resource type 'gadgets'"):
        cluster.find_resource("gadgets")
    with pytest.raises(ClusterError, match=r"no kind 'Gadget' in 'other\.org/v1'"):
        cluster.resource("other.org/v1", "Gadget")
    asked = [call.path for call in server.calls]
    assert asked.count("/api/v1") == asked.count("/apis/apps/v1") == 1


def test_who_manages_what_is_left_to_the_cluster(server: Server, cluster: Cluster) -> None:
    server.replies = [Reply(200, {"resources": [{"name": "pods", "kind": "Pod", "namespaced": True}]}), FINE]
    described = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "managedFields": [{}]}}
    apply(cluster, "shop", described)
    [call] = [one for one in server.calls if one.method == "PATCH"]
    assert json.loads(call.body)["metadata"] == {"name": "a"}
    assert call.query == {"fieldManager": "sluice", "force": "true"}
    assert described["metadata"] == {"name": "a", "managedFields": [{}]}
