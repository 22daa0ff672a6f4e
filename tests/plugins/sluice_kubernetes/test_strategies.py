from __future__ import annotations

import copy
from typing import Any

import pytest

from sluice.plugin import TaskFailedError
from sluice_kubernetes._strategies import (
    STRATEGY,
    Strategy,
    baseline_of,
    beside,
    canary_of,
    green_of,
    leads_to,
    share,
    strategy_of,
    switched,
)


def workload(kind: str = "Deployment", **annotations: str) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "web", "annotations": annotations},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web", "tier": "front"}}, "spec": {}},
        },
    }


SERVICE: dict[str, Any] = {"kind": "Service", "metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}}}


@pytest.mark.parametrize(
    ("replicas", "percentage", "expected"), [(3, 50, 2), (4, 50, 2), (1, 20, 0), (10, 25, 3), (5, 100, 5), (3, 0, 0)]
)
def test_a_share_is_rounded_as_the_task_does_it(replicas: int, percentage: int, expected: int) -> None:
    described = workload()
    described["spec"]["replicas"] = replicas
    assert share(described, percentage) == expected


def test_a_canary_is_told_apart_by_name_and_labels() -> None:
    made = canary_of(workload(), 1)
    assert made["metadata"]["name"] == "web-canary"
    assert made["spec"]["replicas"] == 1
    label = {"azure-pipelines/version": "canary"}
    assert made["metadata"]["labels"] == label
    assert made["spec"]["selector"]["matchLabels"] == {"app": "web"} | label
    assert made["spec"]["template"]["metadata"]["labels"] == {"app": "web", "tier": "front"} | label


def test_a_baseline_is_the_stable_object_without_what_the_cluster_added() -> None:
    stable = workload(**{"deployment.kubernetes.io/revision": "3", "kept": "1"})
    stable["metadata"] |= {"uid": "u", "resourceVersion": "7", "managedFields": [{}]}
    stable["status"] = {"replicas": 3}
    made = baseline_of(stable, 2)
    assert set(made) == {"apiVersion", "kind", "metadata", "spec"}
    assert made["metadata"] == {
        "name": "web-baseline",
        "labels": {"azure-pipelines/version": "baseline"},
        "annotations": {"kept": "1", "azure-pipelines/version": "baseline"},
    }


def test_a_green_one_keeps_its_replicas_and_takes_the_requests() -> None:
    green = green_of(workload())
    assert green["spec"]["replicas"] == 3
    assert leads_to(SERVICE, workload())
    assert leads_to(switched(SERVICE), green)
    assert not leads_to(switched(SERVICE), workload())


@pytest.mark.parametrize(
    "selector", [{}, None, {"app": "other"}, {"app": "web", "tier": "back"}], ids=["empty", "none", "other", "more"]
)
def test_a_service_that_leads_elsewhere_is_left_alone(selector: dict[str, str] | None) -> None:
    assert not leads_to({"spec": {"selector": selector}}, workload())


def test_nothing_that_is_given_is_changed() -> None:
    for given, make in ((workload(), green_of), (copy.deepcopy(SERVICE), switched)):
        before = copy.deepcopy(given)
        make(given)
        assert given == before


def test_an_annotation_goes_before_the_choice_of_the_step() -> None:
    assert strategy_of(workload(), Strategy.CANARY) is Strategy.CANARY
    assert strategy_of(workload(**{STRATEGY: "Blue-Green"}), Strategy.CANARY) is Strategy.BLUE_GREEN
    assert strategy_of(workload(**{STRATEGY: "none"}), Strategy.CANARY) is Strategy.NONE
    assert strategy_of(SERVICE, Strategy.CANARY) is Strategy.NONE
    with pytest.raises(TaskFailedError, match=r"is 'purple'.*none, canary, blue-green"):
        strategy_of(workload(**{STRATEGY: "purple"}), Strategy.NONE)


def test_what_stands_beside_goes_by_the_strategy() -> None:
    assert beside(workload(), Strategy.CANARY) == ["web-canary", "web-baseline"]
    assert beside(workload(), Strategy.BLUE_GREEN) == ["web-green"]
    assert beside(workload(), Strategy.NONE) == []


def test_a_pod_has_no_selector_and_a_daemon_set_no_replicas() -> None:
    pod = {"kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": []}}
    assert canary_of(pod, 1)["spec"] == {"containers": []}
    daemons = workload("DaemonSet")
    del daemons["spec"]["replicas"]
    assert "replicas" not in canary_of(daemons, 0)["spec"]
