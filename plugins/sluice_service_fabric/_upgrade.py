"""The description of an upgrade, made of what a publish profile says and what the step says instead."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from sluice.plugin import TaskFailedError, TaskRun

INPUTS = (
    "FailureAction",
    "UpgradeReplicaSetCheckTimeoutSec",
    "TimeoutSec",
    "ForceRestart",
    "HealthCheckRetryTimeoutSec",
    "HealthCheckWaitDurationSec",
    "HealthCheckStableDurationSec",
    "UpgradeDomainTimeoutSec",
    "ConsiderWarningAsError",
    "DefaultServiceTypeHealthPolicy",
    "MaxPercentUnhealthyDeployedApplications",
    "UpgradeTimeoutSec",
    "ServiceTypeHealthPolicyMap",
)
_MONITORING = {
    "HealthCheckWaitDurationSec": "HealthCheckWaitDurationInMilliseconds",
    "HealthCheckStableDurationSec": "HealthCheckStableDurationInMilliseconds",
    "HealthCheckRetryTimeoutSec": "HealthCheckRetryTimeoutInMilliseconds",
    "UpgradeTimeoutSec": "UpgradeTimeoutInMilliseconds",
    "UpgradeDomainTimeoutSec": "UpgradeDomainTimeoutInMilliseconds",
}
_PERCENTAGES = (
    "MaxPercentUnhealthyPartitionsPerService",
    "MaxPercentUnhealthyReplicasPerPartition",
    "MaxPercentUnhealthyServices",
)
_PAIR = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|([\w.-]+))\s*=\s*["']([\d,\s]*)["']\s*;?""")
_MODES = ("Monitored", "UnmonitoredAuto", "UnmonitoredManual")


def settings(run: TaskRun, profile: Mapping[str, str] | None) -> Mapping[str, str] | None:
    """The settings by the names of the inputs; None when the application is not upgraded but made anew."""
    if not run.flag("overridePublishProfileSettings"):
        return profile
    if not run.flag("isUpgrade"):
        return None
    given = {name: value for name in INPUTS if (value := run.input(name).strip())}
    return {"UpgradeMode": run.input("upgradeMode"), **given}


def description(run: TaskRun, upgrade: Mapping[str, str], *, name: str, version: str) -> dict[str, Any]:
    """The body of the request, without the parameters of the application."""
    mode = upgrade.get("UpgradeMode", "Monitored")
    if mode not in _MODES:
        raise TaskFailedError(f"'{mode}' is no way to upgrade: {', '.join(_MODES)}", where=run.task)
    body: dict[str, Any] = {
        "Name": name,
        "TargetApplicationTypeVersion": version,
        "UpgradeKind": "Rolling",
        "RollingUpgradeMode": mode,
        "ForceRestart": _true(upgrade, "ForceRestart"),
    }
    if seconds := upgrade.get("UpgradeReplicaSetCheckTimeoutSec", ""):
        body["UpgradeReplicaSetCheckTimeoutInSeconds"] = _number(run, "UpgradeReplicaSetCheckTimeoutSec", seconds)
    if mode == "Monitored":
        body["MonitoringPolicy"] = _monitoring(run, upgrade)
        if policy := _health(run, upgrade):
            body["ApplicationHealthPolicy"] = policy
    return body


def _monitoring(run: TaskRun, upgrade: Mapping[str, str]) -> dict[str, str]:
    policy = {"FailureAction": upgrade.get("FailureAction") or "Rollback"}
    for name, key in _MONITORING.items():
        if value := upgrade.get(name, ""):
            policy[key] = str(_number(run, name, value) * 1000)
    return policy


def _health(run: TaskRun, upgrade: Mapping[str, str]) -> dict[str, Any]:
    policy: dict[str, Any] = {}
    if _true(upgrade, "ConsiderWarningAsError"):
        policy["ConsiderWarningAsError"] = True
    if value := upgrade.get("MaxPercentUnhealthyDeployedApplications", ""):
        policy["MaxPercentUnhealthyDeployedApplications"] = _number(
            run, "MaxPercentUnhealthyDeployedApplications", value
        )
    if value := upgrade.get("DefaultServiceTypeHealthPolicy", ""):
        policy["DefaultServiceTypeHealthPolicy"] = _percentages(run, "DefaultServiceTypeHealthPolicy", value)
    if value := upgrade.get("ServiceTypeHealthPolicyMap", ""):
        policy["ServiceTypeHealthPolicyMap"] = [
            {"Key": key, "Value": _percentages(run, "ServiceTypeHealthPolicyMap", text)}
            for key, text in _map(run, value).items()
        ]
    return policy


def _map(run: TaskRun, text: str) -> dict[str, str]:
    """`@{"Type1"="1,2,3";"Type2"="4,5,6"}` as PowerShell writes it, or the same as JSON."""
    stripped = text.strip()
    if stripped.startswith("@{") and stripped.endswith("}"):
        inner, found, at = stripped[2:-1], dict[str, str](), 0
        while pair := _PAIR.match(inner, at):
            found[pair[1] or pair[2] or pair[3]] = pair[4]
            at = pair.end()
        if found and not inner[at:].strip():
            return found
    else:
        try:
            given = json.loads(stripped)
        except ValueError:
            given = None
        if isinstance(given, dict):
            return {str(key): str(value) for key, value in given.items()}
    raise TaskFailedError(
        "ServiceTypeHealthPolicyMap cannot be read",
        where=run.task,
        do="""write it as @{"Type1"="10,20,30";"Type2"="5,5,0"}""",
    )


def _percentages(run: TaskRun, name: str, text: str) -> dict[str, int]:
    parts = [one.strip() for one in text.split(",")]
    if len(parts) != len(_PERCENTAGES):
        raise TaskFailedError(
            f"{name} has not three numbers", where=run.task, do=f"give {', '.join(_PERCENTAGES)}: such as 10,20,30"
        )
    return {key: _number(run, name, part) for key, part in zip(_PERCENTAGES, parts, strict=True)}


def _number(run: TaskRun, name: str, text: str) -> int:
    if not text.strip().isdecimal():
        raise TaskFailedError(f"input '{name}' is not a whole number: '{text}'", where=run.task)
    return int(text)


def _true(upgrade: Mapping[str, str], name: str) -> bool:
    return upgrade.get(name, "").casefold() == "true"
