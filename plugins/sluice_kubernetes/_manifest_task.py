"""`KubernetesManifest@1`: deploys manifests and waits for them, by the API of the cluster."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sluice.plugin import TaskFailedError, TaskRun
from sluice_kubernetes._cluster import FIELD_MANAGER, Cluster, Object
from sluice_kubernetes._deletion import carry_out, parse_deletion
from sluice_kubernetes._deployment import Deployer
from sluice_kubernetes._job import Target, opened_cluster, target_of
from sluice_kubernetes._kubectl_task import secret_of
from sluice_kubernetes._manifests import (
    DEPLOYMENTS,
    add_pull_secrets,
    is_kind,
    manifest_files,
    read_objects,
    substitute_images,
    title,
)
from sluice_kubernetes._objects import place_of, put
from sluice_kubernetes._rollout import await_rollouts
from sluice_kubernetes._strategies import Strategy

_PATCHES = {
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
}
_SCALED = {"deployment": "Deployment", "replicaset": "ReplicaSet", "statefulset": "StatefulSet"}
_PERCENTAGE = re.compile(r"(?:[0-9]|[1-9][0-9]|100)(?:\.\d*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step at work in a namespace of a cluster."""

    run: TaskRun
    cluster: Cluster
    namespace: str
    is_namespace_given: bool

    def objects(self, *, changed: bool) -> list[Object]:
        """The objects of `manifests`; `changed` means with the images and pull secrets of the step."""
        patterns = self.run.lines("manifests")
        if not patterns:
            raise TaskFailedError("Input required: manifests", where=self.run.task)
        objects = read_objects(manifest_files(self.run, patterns), self.run.task)
        for described in objects:
            self._check_namespace(described)
        if changed:
            substitute_images(objects, self.run.lines("containers"))
            add_pull_secrets(objects, self.run.lines("imagePullSecrets"))
        return objects

    def _check_namespace(self, described: Object) -> None:
        written = described["metadata"].get("namespace")
        if written and self.is_namespace_given and written != self.namespace:
            raise TaskFailedError(
                f"the namespace from the provided object '{written}' does not match the namespace '{self.namespace}'",
                where=self.run.task,
                do=f"leave out one of the two for {title(described)}",
            )

    def deployer(self) -> Deployer:
        """Deploys by the inputs of the step."""
        return Deployer(
            run=self.run,
            cluster=self.cluster,
            namespace=self.namespace,
            strategy=_strategy(self.run),
            seconds=self.seconds(),
        )

    def seconds(self) -> float:
        """How long a rollout may take, 0 for as long as it takes."""
        written = self.run.input("rolloutStatusTimeout").strip()
        if not re.fullmatch(r"\d{0,9}", written):
            raise TaskFailedError(
                "The supplied rolloutStatusTimeout value is not a valid timeout, give seconds", where=self.run.task
            )
        return float(written or 0)


def run_manifest(run: TaskRun) -> None:
    """Carry out the `action` of the step."""
    action = run.input("action").strip()
    if action == "bake":
        from sluice_kubernetes._bake import bake

        bake(run)
        return
    work = _ACTIONS.get(action)
    if work is None:
        raise TaskFailedError(
            f"Not a supported action: '{action}', choose from {', '.join([*_ACTIONS, 'bake'])}", where=run.task
        )
    target = target_of(run)
    with opened_cluster(run, target) as cluster:
        work(_step(run, cluster, target))


def _step(run: TaskRun, cluster: Cluster, target: Target) -> Step:
    given = bool(run.input("namespace").strip())
    namespace = target.namespace or cluster.access.namespace or "default"
    return Step(run=run, cluster=cluster, namespace=namespace, is_namespace_given=given)


def _strategy(run: TaskRun) -> Strategy:
    written = run.input("strategy").strip().casefold()
    if written in {"", "none"}:
        return Strategy.NONE
    if written == "canary":
        if run.input("trafficSplitMethod").strip().casefold() == "smi":
            raise TaskFailedError(
                "the traffic split method SMI is not supported",
                where=run.task,
                why="the Service Mesh Interface has been given up by its project",
                do="write 'trafficSplitMethod: pod'",
            )
        return Strategy.CANARY
    raise TaskFailedError(f"strategy '{written[:40]}' is not known", where=run.task, do="write canary or none")


def _deploy(step: Step) -> None:
    percentage = step.run.input("percentage").strip() or "0"
    if not _PERCENTAGE.fullmatch(percentage) or float(percentage) > 100:
        raise TaskFailedError("Percentage should be an integer between 0 and 100", where=step.run.task)
    # as the task has it: what stands behind a point does not count
    step.deployer().deploy(step.objects(changed=True), int(float(percentage)))


def _promote(step: Step) -> None:
    step.deployer().promote(step.objects(changed=True))


def _reject(step: Step) -> None:
    step.deployer().reject(step.objects(changed=False))


def _scale(step: Step) -> None:
    run = step.run
    kind, name = run.required("kind").strip().casefold(), run.required("name").strip()
    replicas = run.required("replicas").strip()
    if kind not in _SCALED:
        raise TaskFailedError(f"'{kind[:40]}' cannot be scaled", where=run.task, why=f"there are: {', '.join(_SCALED)}")
    if not replicas.isdecimal():
        raise TaskFailedError("'replicas' is no number", where=run.task)
    path = step.cluster.resource("apps/v1", _SCALED[kind]).path(step.namespace, name)
    body = {"spec": {"replicas": int(replicas)}}
    query = {"fieldManager": FIELD_MANAGER}
    step.cluster.ask("PATCH", f"{path}/scale", query=query, body=body, content_type=_PATCHES["merge"])
    run.say(f"{kind}/{name} scaled to {replicas}")
    _settle(step, step.cluster.ask("GET", path))


def _patch(step: Step) -> None:
    run = step.run
    content_type = _PATCHES.get(run.input("mergeStrategy").strip().casefold() or "strategic")
    if content_type is None:
        raise TaskFailedError(f"mergeStrategy is none of {', '.join(_PATCHES)}", where=run.task)
    body = _patch_body(run)
    for path, called in _patched(step):
        query = {"fieldManager": FIELD_MANAGER}
        changed = step.cluster.ask("PATCH", path, query=query, body=body, content_type=content_type)
        run.say(f"{called} patched")
        _settle(step, changed)


def _patched(step: Step) -> list[tuple[str, str]]:
    """Paths of what is to be patched, and what each is called."""
    run, cluster = step.run, step.cluster
    if run.input("resourceToPatch").strip().casefold() == "file":
        objects = read_objects(manifest_files(run, [run.required("resourceFileToPatch").strip()]), run.task)
        return [(place_of(cluster, step.namespace, one)[1], title(one)) for one in objects]
    resource = cluster.find_resource(run.required("kind").strip())
    name = run.required("name").strip()
    return [(resource.path(step.namespace, name), f"{resource.kind.casefold()}/{name}")]


def _patch_body(run: TaskRun) -> Any:
    import yaml

    from sluice_kubernetes._yaml import load_all

    try:
        body = next(iter(load_all(run.required("patch"))), None)
        json.dumps(body)
    except (yaml.YAMLError, TypeError, ValueError, RecursionError):
        raise TaskFailedError("'patch' is neither JSON nor YAML", where=run.task) from None
    if not isinstance(body, dict | list):
        raise TaskFailedError("'patch' is no JSON object, and no list of operations", where=run.task)
    return body


def _settle(step: Step, found: Object) -> None:
    """Wait for what was changed, when it is something that is waited for, and note the run on it."""
    if is_kind(found, DEPLOYMENTS):
        await_rollouts(step.run, step.cluster, step.namespace, [found], seconds=step.seconds())
        deployer = Deployer(run=step.run, cluster=step.cluster, namespace=step.namespace, strategy=Strategy.NONE)
        deployer.note_on(found)


def _delete(step: Step) -> None:
    carry_out(step.run, step.cluster, step.namespace, parse_deletion(step.run.input("arguments"), step.run.task))


def _create_secret(step: Step) -> None:
    name = step.run.required("secretName").strip()
    put(step.cluster, step.namespace, secret_of(step.run, name), replace=True)
    step.run.say(f"secret/{name} is in the namespace {step.namespace}")


_ACTIONS: Mapping[str, Callable[[Step], None]] = {
    "deploy": _deploy,
    "promote": _promote,
    "reject": _reject,
    "scale": _scale,
    "patch": _patch,
    "delete": _delete,
    "createSecret": _create_secret,
}
