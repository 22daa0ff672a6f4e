"""Canary and blue-green: what stands beside the stable objects, and what becomes of it. Nothing here asks a cluster.

Canary is as `KubernetesManifest@1` has it: beside `web` there are `web-canary` (as described) and `web-baseline` (as what
is stable now), both with a share of its replicas. Blue-green, an addition of Sluice, is chosen by an annotation of the
workload: beside `web` there is a whole `web-green`, to which services are switched once it is there.
"""

from __future__ import annotations

import copy
import enum
import math
from collections.abc import Mapping
from typing import Any

from sluice.plugin import TaskFailedError
from sluice_kubernetes._manifests import DEPLOYMENTS, Object, is_kind

VERSION = "azure-pipelines/version"
"""Label and annotation that tells canary, baseline and stable objects apart."""

COLOR = "azure-pipelines/color"
"""Label of pods that are not the stable ones, in a blue-green deployment."""

STRATEGY = "azure-pipelines/strategy"
"""Annotation of a workload that chooses how it is deployed: `none`, `canary` or `blue-green`."""

CANARY, BASELINE, GREEN = "canary", "baseline", "green"

_OWN = ("deployment.kubernetes.io/", "kubectl.kubernetes.io/last-applied-configuration")
"""Annotations that belong to the object on which they are."""


class Strategy(enum.StrEnum):
    """How a workload is deployed."""

    NONE = "none"
    CANARY = "canary"
    BLUE_GREEN = "blue-green"


def strategy_of(described: Mapping[str, Any], chosen: Strategy) -> Strategy:
    """The strategy of an object: what its annotation says, else what the step has chosen; `NONE` for what runs nothing."""
    if not is_kind(described, DEPLOYMENTS):
        return Strategy.NONE
    written = str((described["metadata"].get("annotations") or {}).get(STRATEGY, "")).casefold()
    try:
        return Strategy(written) if written else chosen
    except ValueError:
        raise TaskFailedError(
            f"the annotation {STRATEGY} of '{described['metadata']['name']}' is '{written[:40]}'",
            why=f"there are: {', '.join(Strategy)}",
        ) from None


def share(described: Mapping[str, Any], percentage: float) -> int:
    """So many replicas are a percentage of an object's, rounded as JavaScript does it."""
    return math.floor(_replicas(described) * percentage / 100 + 0.5)


def canary_of(described: Object, replicas: int) -> Object:
    """The object under trial."""
    return _beside(described, CANARY, VERSION, replicas)


def baseline_of(stable: Object, replicas: int) -> Object:
    """What the canary is compared with: the stable object of the cluster once more."""
    return _beside(_described(stable), BASELINE, VERSION, replicas)


def green_of(described: Object) -> Object:
    """The whole new version beside the stable one."""
    return _beside(described, GREEN, COLOR, None)


def beside(described: Mapping[str, Any], strategy: Strategy) -> list[str]:
    """Names of what may stand beside an object."""
    name = described["metadata"]["name"]
    suffixes = {Strategy.CANARY: (CANARY, BASELINE), Strategy.BLUE_GREEN: (GREEN,)}.get(strategy, ())
    return [f"{name}-{suffix}" for suffix in suffixes]


def leads_to(service: Mapping[str, Any], workload: Mapping[str, Any]) -> bool:
    """Whether a service sends requests to the pods of a workload."""
    selector = (service.get("spec") or {}).get("selector")
    labels = _template(workload).get("labels") or {}
    return isinstance(selector, dict) and bool(selector) and selector.items() <= labels.items()


def switched(service: Object) -> Object:
    """The service, with requests for the new version alone."""
    changed = copy.deepcopy(service)
    changed["spec"]["selector"][COLOR] = GREEN
    return changed


def _beside(described: Object, suffix: str, label: str, replicas: int | None) -> Object:
    made = copy.deepcopy(described)
    metadata = made["metadata"]
    metadata["name"] = f"{metadata['name']}-{suffix}"
    added = {label: suffix}
    metadata["labels"] = {**(metadata.get("labels") or {}), **added}
    metadata["annotations"] = {**(metadata.get("annotations") or {}), **added}
    if is_kind(made, {"pod"}):
        return made
    spec = made.setdefault("spec", {})
    if replicas is not None and not is_kind(made, {"daemonset"}):
        spec["replicas"] = replicas
    selector = spec.setdefault("selector", {})
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), **added}
    template = _template(made)
    template["labels"] = {**(template.get("labels") or {}), **added}
    spec["template"]["metadata"] = template
    return made


def _template(described: Mapping[str, Any]) -> Object:
    if is_kind(described, {"pod"}):
        return dict(described["metadata"])
    template = (described.get("spec") or {}).get("template")
    return dict((template.get("metadata") if isinstance(template, dict) else None) or {})


def _described(stable: Object) -> Object:
    """What describes an object of a cluster, without what the cluster itself has put there."""
    metadata = stable["metadata"]
    annotations = {key: value for key, value in (metadata.get("annotations") or {}).items() if not key.startswith(_OWN)}
    kept = {"name": metadata["name"], "labels": dict(metadata.get("labels") or {}), "annotations": annotations}
    spec = copy.deepcopy(stable.get("spec") or {})
    return {"apiVersion": stable["apiVersion"], "kind": stable["kind"], "metadata": kept, "spec": spec}


def _replicas(described: Mapping[str, Any]) -> int:
    if is_kind(described, {"pod", "daemonset"}):
        return 0
    written = (described.get("spec") or {}).get("replicas", 1)
    return written if isinstance(written, int) else 1
