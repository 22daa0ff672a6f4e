"""Deploys objects, promotes and rejects what stands beside the stable ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sluice.plugin import TaskFailedError, TaskRun
from sluice_kubernetes import _strategies as strategies
from sluice_kubernetes._cluster import FIELD_MANAGER, Cluster, ClusterError, Object
from sluice_kubernetes._manifests import DEPLOYMENTS, annotate, annotations_of, is_kind, title
from sluice_kubernetes._objects import apply, delete, get, place_of
from sluice_kubernetes._rollout import await_rollouts
from sluice_kubernetes._strategies import Strategy, strategy_of

_SETTLED = DEPLOYMENTS | {"service"}
_MERGE = "application/merge-patch+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployer:
    """Deploys to a namespace.

    `strategy` is that of workloads whose annotation says nothing; `seconds` is the patience with one rollout, 0 for
    endless.
    """

    run: TaskRun
    cluster: Cluster
    namespace: str
    strategy: Strategy
    seconds: float = 0.0

    def deploy(self, objects: Sequence[Object], percentage: int) -> None:
        """Apply what the strategies make of the objects, and wait for it; services of a green one are switched last."""
        first, last = self._planned(objects, percentage)
        self._bring_about(first)
        self._bring_about(last)
        self._tell_ingresses([*first, *last])

    def promote(self, objects: Sequence[Object]) -> None:
        """Make the stable objects what is described, then remove what stands beside them."""
        beside = self._beside(objects, "Promote")
        services = [one for one in objects if is_kind(one, {"service"})]
        # requests go to the new version by itself until the stable one has become it, too
        self._bring_about([one for one in objects if one not in services])
        self._bring_about(services)
        self._remove(beside)

    def reject(self, objects: Sequence[Object]) -> None:
        """Leave the stable objects as they are, and remove what stands beside them."""
        beside = self._beside(objects, "Reject")
        green = [one for one in objects if strategy_of(one, self.strategy) is Strategy.BLUE_GREEN]
        for service in (one for one in objects if is_kind(one, {"service"})):
            if any(strategies.leads_to(service, one) for one in green):
                self._bring_about([service])
        self._remove(beside)

    def note_on(self, found: Object) -> None:
        """Note the run on an object of the cluster, and on its pods; an account that may not is warned of."""
        annotations = annotations_of(self.run)
        if not annotations:
            return
        try:
            self._annotate(place_of(self.cluster, self.namespace, found)[1], annotations)
        except ClusterError as error:
            self.run.warn(f"{title(found)} was not annotated: {error.what}")
        self._note_on_pods([found], annotations)

    def _planned(self, objects: Sequence[Object], percentage: int) -> tuple[list[Object], list[Object]]:
        """What is applied at first, and what when that has come about."""
        first: list[Object] = []
        green: list[Object] = []
        for described in objects:
            chosen = strategy_of(described, self.strategy)
            stable = self._stable(described) if chosen is not Strategy.NONE else None
            if chosen is Strategy.CANARY:
                replicas = strategies.share(described, percentage)
                first.append(strategies.canary_of(described, replicas))
                first += [strategies.baseline_of(stable, replicas)] if stable else []
            elif chosen is Strategy.BLUE_GREEN and stable:
                green.append(described)
                first.append(strategies.green_of(described))
            else:
                first.append(described)
        last = []
        for service in [one for one in first if is_kind(one, {"service"})]:
            if any(strategies.leads_to(service, one) for one in green):
                first.remove(service)
                last.append(strategies.switched(service))
        return first, last

    def _stable(self, described: Object) -> Object | None:
        where = str(described["metadata"].get("namespace") or self.namespace)
        name = str(described["metadata"]["name"])
        return get(self.cluster, where, described["apiVersion"], described["kind"], name)

    def _bring_about(self, objects: Sequence[Object]) -> None:
        annotations = annotations_of(self.run)
        annotate(objects, annotations)
        for described in objects:
            apply(self.cluster, self.namespace, described)
            self.run.say(f"{title(described)} applied")
            if is_kind(described, {"customresourcedefinition"}):
                self.cluster.forget()
        settled = [one for one in objects if is_kind(one, _SETTLED)]
        await_rollouts(self.run, self.cluster, self.namespace, settled, seconds=self.seconds)
        self._note_on_pods(settled, annotations)

    def _note_on_pods(self, objects: Sequence[Object], annotations: Mapping[str, str]) -> None:
        try:
            for described in objects if annotations else ():
                for path in self._pods(described):
                    self._annotate(path, annotations)
        except ClusterError as error:
            self.run.warn(f"pods were not annotated: {error.what}")

    def _pods(self, described: Object) -> list[str]:
        selector = ((described.get("spec") or {}).get("selector") or {}).get("matchLabels")
        if is_kind(described, {"service", "pod"}) or not isinstance(selector, dict) or not selector:
            return []
        where = str(described["metadata"].get("namespace") or self.namespace)
        resource = self.cluster.resource("v1", "Pod")
        query = {"labelSelector": ",".join(f"{key}={value}" for key, value in selector.items())}
        pods = self.cluster.ask("GET", resource.path(where), query=query).get("items") or []
        return [resource.path(where, str(pod["metadata"]["name"])) for pod in pods]

    def _annotate(self, path: str, annotations: Mapping[str, str]) -> None:
        body = {"metadata": {"annotations": dict(annotations)}}
        self.cluster.ask("PATCH", path, query={"fieldManager": FIELD_MANAGER}, body=body, content_type=_MERGE)

    def _beside(self, objects: Sequence[Object], action: str) -> list[tuple[str, str]]:
        """Paths and names of what may stand beside the stable objects."""
        found: list[tuple[str, str]] = []
        for described in objects:
            chosen = strategy_of(described, self.strategy)
            resource = self.cluster.resource(described["apiVersion"], described["kind"])
            where = str(described["metadata"].get("namespace") or self.namespace)
            names = strategies.beside(described, chosen)
            found += [(resource.path(where, name), f"{described['kind'].casefold()}/{name}") for name in names]
        if not found:
            raise TaskFailedError(
                f"{action} action is valid only for the canary strategy, and for blue-green deployments",
                where=self.run.task,
                do=f"write 'strategy: canary', or annotate the workload with '{strategies.STRATEGY}: blue-green'",
            )
        return found

    def _remove(self, beside: Sequence[tuple[str, str]]) -> None:
        for path, called in beside:
            if delete(self.cluster, path):
                self.run.say(f"{called} deleted")

    def _tell_ingresses(self, objects: Sequence[Object]) -> None:
        for described in objects:
            if is_kind(described, {"ingress"}):
                rules = (described.get("spec") or {}).get("rules") or ()
                hosts = ", ".join(str(rule.get("host") or "*") for rule in rules if isinstance(rule, dict))
                self.run.say(f"{title(described)} for {hosts or '*'}")
