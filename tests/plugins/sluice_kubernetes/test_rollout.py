from __future__ import annotations

from typing import Any

import pytest

from sluice_kubernetes._rollout import progress_of


def found(kind: str, spec: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    known = {"observedGeneration": 2, **status}
    return {"kind": kind, "metadata": {"name": "x", "generation": 2}, "spec": spec or {}, "status": known}


def condition(**values: str) -> list[dict[str, str]]:
    return [values]


DONE = {"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}


@pytest.mark.parametrize(
    ("given", "text", "state"),
    [
        (found("Deployment", {"replicas": 2}, **DONE), "successfully rolled out", "done"),
        (found("Deployment", {"replicas": 2}, **DONE | {"observedGeneration": 1}), "to be noticed", "waits"),
        (found("Deployment", {"replicas": 2}, **DONE | {"updatedReplicas": 1}), "1 out of 2 new", "waits"),
        (found("Deployment", {"replicas": 2}, **DONE | {"replicas": 3}), "1 old replicas are pending", "waits"),
        (found("Deployment", {"replicas": 2}, **DONE | {"availableReplicas": 1}), "1 of 2 updated", "waits"),
        (found("Deployment", {"replicas": 0}), "successfully rolled out", "done"),
        (
            found("Deployment", {}, conditions=condition(type="Progressing", reason="ProgressDeadlineExceeded")),
            "progress deadline",
            "failed",
        ),
        (found("ReplicaSet", {"replicas": 2}, replicas=2, availableReplicas=1), "1 of 2", "waits"),
        (found("ReplicaSet", {"replicas": 1}, replicas=1, availableReplicas=1), "all replicas", "done"),
        (found("DaemonSet", {}, desiredNumberScheduled=2, updatedNumberScheduled=1), "1 out of 2", "waits"),
        (found("DaemonSet", {}, desiredNumberScheduled=1, updatedNumberScheduled=1), "0 of 1", "waits"),
        (
            found("DaemonSet", {}, desiredNumberScheduled=1, updatedNumberScheduled=1, numberAvailable=1),
            "rolled out",
            "done",
        ),
        (found("DaemonSet", {"updateStrategy": {"type": "OnDelete"}}, desiredNumberScheduled=1), "by hand", "done"),
        (found("StatefulSet", {"replicas": 2}, readyReplicas=1), "1 of 2 pods are ready", "waits"),
        (
            found("StatefulSet", {"replicas": 1}, readyReplicas=1, updateRevision="b", currentRevision="a"),
            "at the new revision",
            "waits",
        ),
        (
            found("StatefulSet", {"replicas": 1}, readyReplicas=1, updateRevision="b", currentRevision="b"),
            "complete",
            "done",
        ),
        (
            found(
                "StatefulSet",
                {"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": 2}}},
                readyReplicas=3,
                updatedReplicas=1,
            ),
            "partitioned roll out complete: 1",
            "done",
        ),
        (found("Pod", phase="Failed", reason="Evicted"), "has failed Evicted", "failed"),
        (found("Pod", phase="Running"), "running", "waits"),
        (found("Pod", phase="Running", conditions=condition(type="Ready", status="True")), "running", "done"),
        (found("Pod", phase="Succeeded"), "succeeded", "done"),
        (found("Service", {"type": "ClusterIP"}), "applied", "done"),
        (found("Service", {"type": "LoadBalancer"}), "no address yet", "waits"),
        (
            found("Service", {"type": "LoadBalancer"}, loadBalancer={"ingress": [{"hostname": "lb.example"}]}),
            "lb.example",
            "done",
        ),
        (found("Widget"), "applied", "done"),
    ],
)
def test_progress_is_told_as_kubectl_does(given: dict[str, Any], text: str, state: str) -> None:
    progress = progress_of(given)
    assert text in progress.text
    assert {"done": progress.done, "failed": progress.failed}.get(state, True)
    assert (state == "waits") is not (progress.done or progress.failed)
