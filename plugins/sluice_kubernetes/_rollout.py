"""Whether what was applied has come about: decided from an object as the cluster has it, the way kubectl does.

`progress_of` is pure; `await_rollouts` asks again until each is done, one has failed, or the time is over.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sluice.plugin import CanceledError, TaskFailedError, TaskRun
from sluice_kubernetes._cluster import Cluster, ClusterError, Object
from sluice_kubernetes._manifests import is_kind, title
from sluice_kubernetes._objects import place_of

ROLLED_OUT = frozenset({"deployment", "daemonset", "statefulset"})
ADDRESS_SECONDS = 180.0
"""So long an address of a load balancer is waited for, as the task has it; none is no failure."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
_PATIENCE = 5
"""So often in a row a cluster may fail to answer while it is waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an object is: `done`, `failed` (the reason in `text`), or neither yet."""

    text: str
    done: bool = False
    failed: bool = False


def progress_of(found: Mapping[str, Any]) -> Progress:
    """How far an object of a cluster is."""
    kind = str(found.get("kind", "")).casefold()
    decide = _DECISIONS.get(kind)
    status = found.get("status") or {}
    if decide is None:
        return Progress(text="applied", done=True)
    generation = found["metadata"].get("generation", 0)
    if kind not in {"pod", "service"} and status.get("observedGeneration", 0) < generation:
        return Progress(text="waiting for the change to be noticed")
    return decide(found.get("spec") or {}, status)


def _deployment(spec: Mapping[str, Any], status: Mapping[str, Any]) -> Progress:
    for condition in status.get("conditions") or ():
        if condition.get("type") == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded":
            return Progress(text="it exceeded its progress deadline", failed=True)
    wanted, updated = spec.get("replicas", 1), status.get("updatedReplicas", 0)
    if updated < wanted:
        return Progress(text=f"{updated} out of {wanted} new replicas have been updated")
    if (old := status.get("replicas", 0) - updated) > 0:
        return Progress(text=f"{old} old replicas are pending termination")
    if (available := status.get("availableReplicas", 0)) < updated:
        return Progress(text=f"{available} of {updated} updated replicas are available")
    return Progress(text="successfully rolled out", done=True)


def _replica_set(spec: Mapping[str, Any], status: Mapping[str, Any]) -> Progress:
    wanted, available = spec.get("replicas", 1), status.get("availableReplicas", 0)
    if available < wanted or status.get("replicas", 0) > wanted:
        return Progress(text=f"{available} of {wanted} replicas are available")
    return Progress(text="all replicas are available", done=True)


def _daemon_set(spec: Mapping[str, Any], status: Mapping[str, Any]) -> Progress:
    if _is_by_hand(spec):
        return Progress(text="its update strategy waits for pods to be deleted by hand", done=True)
    wanted = status.get("desiredNumberScheduled", 0)
    if (updated := status.get("updatedNumberScheduled", 0)) < wanted:
        return Progress(text=f"{updated} out of {wanted} new pods have been updated")
    if (available := status.get("numberAvailable", 0)) < wanted:
        return Progress(text=f"{available} of {wanted} updated pods are available")
    return Progress(text="successfully rolled out", done=True)


def _stateful_set(spec: Mapping[str, Any], status: Mapping[str, Any]) -> Progress:
    if _is_by_hand(spec):
        return Progress(text="its update strategy waits for pods to be deleted by hand", done=True)
    wanted, ready = spec.get("replicas", 1), status.get("readyReplicas", 0)
    if ready < wanted:
        return Progress(text=f"{ready} of {wanted} pods are ready")
    partition = ((spec.get("updateStrategy") or {}).get("rollingUpdate") or {}).get("partition") or 0
    updated = status.get("updatedReplicas", 0)
    if partition:
        if updated < wanted - partition:
            return Progress(text=f"{updated} out of {wanted - partition} new pods have been updated")
        return Progress(text=f"partitioned roll out complete: {updated} new pods have been updated", done=True)
    if status.get("updateRevision") != status.get("currentRevision"):
        return Progress(text=f"{updated} pods are at the new revision")
    return Progress(text="rolling update complete", done=True)


def _pod(_spec: Mapping[str, Any], status: Mapping[str, Any]) -> Progress:
    phase = status.get("phase", "Pending")
    if phase == "Failed":
        return Progress(text=f"the pod has failed {status.get('reason', '')}".strip(), failed=True)
    ready = any(one.get("type") == "Ready" and one.get("status") == "True" for one in status.get("conditions") or ())
    if phase == "Succeeded" or (phase == "Running" and ready):
        return Progress(text=f"the pod is {phase.casefold()}", done=True)
    return Progress(text=f"the pod is {phase.casefold()}")


def _service(spec: Mapping[str, Any], status: Mapping[str, Any]) -> Progress:
    if spec.get("type") != "LoadBalancer":
        return Progress(text="applied", done=True)
    places = (status.get("loadBalancer") or {}).get("ingress") or ()
    if not places:
        return Progress(text="its load balancer has no address yet")
    address = places[0].get("ip") or places[0].get("hostname") or "?"
    return Progress(text=f"its external address is {address}", done=True)


def _is_by_hand(spec: Mapping[str, Any]) -> bool:
    return (spec.get("updateStrategy") or {}).get("type") == "OnDelete"


_DECISIONS: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Progress]] = {
    "deployment": _deployment,
    "replicaset": _replica_set,
    "daemonset": _daemon_set,
    "statefulset": _stateful_set,
    "pod": _pod,
    "service": _service,
}


def await_rollouts(
    run: TaskRun, cluster: Cluster, namespace: str, objects: Sequence[Object], *, seconds: float
) -> None:
    """Wait for each object in turn, `seconds` at most for each (0: as long as it takes); tells what changes.

    Raises `TaskFailedError` with the reason that the pods tell, and `CanceledError`.
    """
    canceled = threading.Event()
    run.on_cancel(canceled.set)
    for number, described in enumerate(objects):
        run.progress(100 * number // len(objects), title(described))
        is_service = is_kind(described, {"service"})
        wait = _Wait(run, cluster, place_of(cluster, namespace, described)[1], title(described), canceled)
        last = wait.until_settled(ADDRESS_SECONDS if is_service else seconds)
        if is_service and not last.done:
            run.warn(f"{title(described)}: {last.text}")
        elif not last.done:
            why = reasons_of_pods(cluster, namespace, described)
            raise TaskFailedError(
                f"the rollout of {title(described)} did not come about", where=run.task, why=f"{last.text}{why}"
            )


@dataclass(frozen=True, slots=True)
class _Wait:
    run: TaskRun
    cluster: Cluster
    path: str
    title: str
    canceled: threading.Event

    def until_settled(self, seconds: float) -> Progress:
        """The progress when it is done, has failed, or the time is over."""
        end = time.monotonic() + seconds if seconds else None
        pause, told, failures = _FIRST_PAUSE, "", 0
        while True:
            try:
                last = progress_of(self.cluster.ask("GET", self.path))
                failures = 0
            except ClusterError as error:
                failures += 1
                if error.status or failures >= _PATIENCE:
                    raise
                last = Progress(text=error.what)
            if last.text != told:
                told = last.text
                self.run.say(f"{self.title}: {told}")
            if last.done or last.failed:
                return last
            left = pause if end is None else min(pause, end - time.monotonic())
            if left <= 0:
                return Progress(text=f"{last.text} after {seconds:g} seconds")
            if self.canceled.wait(left):
                raise CanceledError("canceled while a rollout was waited for")
            pause = min(pause * 1.5, _LONGEST_PAUSE)


def reasons_of_pods(cluster: Cluster, namespace: str, described: Mapping[str, Any]) -> str:
    """What the pods of a workload say of themselves, such as that an image cannot be pulled; `''` when nothing."""
    selector = ((described.get("spec") or {}).get("selector") or {}).get("matchLabels")
    if not isinstance(selector, dict) or not selector:
        return ""
    where = str(described["metadata"].get("namespace") or namespace)
    query = {"labelSelector": ",".join(f"{key}={value}" for key, value in selector.items()), "limit": "50"}
    try:
        pods = cluster.ask("GET", cluster.resource("v1", "Pod").path(where), query=query).get("items") or []
    except ClusterError:
        return ""  # the account may not look at pods: then nothing is known of them
    found = {reason: None for pod in pods for reason in _reasons(pod)}
    return f" ({'; '.join(list(found)[:5])})" if found else ""


def _reasons(pod: Mapping[str, Any]) -> list[str]:
    status = pod.get("status") or {}
    told = []
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") and waiting["reason"] not in {"ContainerCreating", "PodInitializing"}:
            message = " ".join(str(waiting.get("message") or "").split())[:200]
            told.append(f"{container.get('name')}: {waiting['reason']} {message}".strip())
    unscheduled = [
        str(one.get("message") or "")
        for one in status.get("conditions") or ()
        if one.get("type") == "PodScheduled" and one.get("status") == "False"
    ]
    return told + [" ".join(message.split())[:200] for message in unscheduled if message]
