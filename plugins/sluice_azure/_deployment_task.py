"""`AzureResourceManagerTemplateDeployment@3`: templates into resource groups, subscriptions and management groups."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from sluice.plugin import Connection, TaskFailedError, TaskRun
from sluice_azure._arm import Arm
from sluice_azure._client import pause_of
from sluice_azure._deployment import Deployment, Scope, delete_group, ensure_group
from sluice_azure._override_parameters import override
from sluice_azure._template import fetched, parameters_in, parameters_of, template_of

_GROUP = "Resource Group"
_SUBSCRIPTION = "Subscription"
_MANAGEMENT = "Management Group"
_MODES = ("Incremental", "Complete", "Validation")
_NAME = re.compile(r"[\w.()-]{1,64}")
_GROUP_NAME = re.compile(r"[\w.()-]{0,89}[\w()-]")
_PRINCIPAL = {"$servicePrincipalId": "serviceprincipalid", "$servicePrincipalKey": "serviceprincipalkey"}


def run_deployment(run: TaskRun) -> None:
    """Deploy as the inputs say; raises `TaskFailedError` with what Azure does not like."""
    connection = run.connection("ConnectedServiceName")
    arm = Arm.of(connection, pause_of(run))
    scope = _scope(run, connection)
    if scope.group and run.input("action").strip().casefold() == "deleterg":
        delete_group(run, arm, scope)
        return
    mode = _mode(run, scope)
    properties, name = _properties(run, connection)
    if scope.group:
        ensure_group(run, arm, scope, run.required("location").strip())
    deployment = Deployment(
        run=run,
        arm=arm,
        scope=scope,
        name=_deployment_name(run, name),
        properties={**properties, "mode": "Incremental" if mode == "Validation" else mode},
    )
    run.say(f"Deployment name is {deployment.name}")
    run.say("Starting template validation.")
    deployment.validate()
    run.say("Template deployment validation was completed successfully.")
    if mode in {"Validation", "Complete"}:
        _say_changes(run, deployment)
    if mode != "Validation":
        run.say("Starting Deployment.")
        outputs = deployment.carry_out()
        _set_outputs(run, outputs)
        run.say("Successfully deployed the template.")


def _scope(run: TaskRun, connection: Connection) -> Scope:
    level = run.input("deploymentScope").strip() or _GROUP
    if level.casefold() == _MANAGEMENT.casefold():
        group = connection.text("managementGroupId")
        if not group:
            raise TaskFailedError(
                "the connection names no management group",
                where=connection.name,
                do="use one with scopeLevel ManagementGroup",
            )
        above = ("providers/Microsoft.Management/managementGroups/", group)
        return Scope(path=above, shown=f"the management group '{group}'", location=run.required("location").strip())
    subscription = run.input("subscriptionName").strip() or connection.text("subscriptionId")
    if not re.fullmatch(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", subscription):
        # the id is what Azure is asked by; the name is what the form of the task shows for it
        subscription = connection.text("subscriptionId")
    if level.casefold() == _SUBSCRIPTION.casefold():
        shown = f"the subscription {subscription}"
        return Scope(path=("subscriptions", subscription), shown=shown, location=run.required("location").strip())
    if level.casefold() != _GROUP.casefold():
        raise TaskFailedError(
            f"Invalid deployment scope '{level}'. The value must be one of: {_MANAGEMENT}, {_SUBSCRIPTION}, {_GROUP}",
            where=run.task,
        )
    name = run.input("resourceGroupName").strip() or _narrowed(connection)
    if not _GROUP_NAME.fullmatch(name):
        raise TaskFailedError(
            f"'{name[:90]}' is no name of a resource group" if name else "Input required: resourceGroupName",
            where=run.task,
        )
    path = ("subscriptions", subscription, "resourcegroups", name)
    return Scope(path=path, shown=f"the resource group '{name}'", group=name)


def _narrowed(connection: Connection) -> str:
    """The resource group that a connection is narrowed to: `/subscriptions/{id}/resourcegroups/{name}`."""
    parts = connection.text("scope").split("/")
    return parts[4] if len(parts) > 4 else connection.text("resourceGroupName")


def _mode(run: TaskRun, scope: Scope) -> str:
    written = run.input("deploymentMode").strip() or "Incremental"
    mode = next((one for one in _MODES if one.casefold() == written.casefold()), "")
    if not mode:
        raise TaskFailedError(f"Invalid deployment mode '{written}'. The value must be one of: {', '.join(_MODES)}")
    if mode == "Complete" and not scope.group:
        raise TaskFailedError(f"deploymentMode Complete deletes what a template does not name: not in {scope.shown}")
    return mode


def _properties(run: TaskRun, connection: Connection) -> tuple[dict[str, Any], str]:
    """What is deployed, and a word for the deployment's name."""
    if (run.input("templateLocation").strip() or "Linked artifact").casefold() == "url of the file":
        return _linked(run, connection)
    template, name = template_of(run, "csmFile")
    parameters = _overridden(run, connection, template, parameters_of(run, "csmParametersFile"))
    return {"template": template, "parameters": parameters}, name


def _linked(run: TaskRun, connection: Connection) -> tuple[dict[str, Any], str]:
    """A template that Azure fetches itself; only to override its parameters it is read here as well."""
    link, parameters_link = run.required("csmFileLink").strip(), run.input("csmParametersFileLink").strip()
    properties: dict[str, Any] = {"templateLink": {"uri": link}}
    if run.input("overrideParameters").strip():
        parameters = parameters_in(fetched(connection, parameters_link), parameters_link) if parameters_link else {}
        properties["parameters"] = _overridden(run, connection, fetched(connection, link), parameters)
    elif parameters_link:
        properties["parametersLink"] = {"uri": parameters_link}
    return properties, PurePosixPath(urlsplit(link).path).stem


def _overridden(
    run: TaskRun, connection: Connection, template: Mapping[str, Any], parameters: Mapping[str, Any]
) -> dict[str, Any]:
    merged, unknown = override(run.input("overrideParameters"), template, parameters)
    for name in unknown:
        run.error(f"The template has no parameter '{name}', which is overridden")
    if run.flag("addSpnToEnvironment"):
        for one in merged.values():
            if isinstance(one, dict) and one.get("value") in _PRINCIPAL:
                one["value"] = _principal(connection, _PRINCIPAL[one["value"]])
    return merged


def _principal(connection: Connection, key: str) -> str:
    secret = connection.secret(key)
    return secret.reveal() if secret else ""


def _deployment_name(run: TaskRun, name: str) -> str:
    given = run.input("deploymentName").strip()
    if given:
        if not _NAME.fullmatch(given):
            raise TaskFailedError(f"'{given[:80]}' is no name of a deployment", do="letters, digits and -._() make one")
        return given
    stamp = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    plain = "".join(name.split())[:40]
    return f"{plain if _NAME.fullmatch(plain) else 'deployment'}-{stamp}"


def _say_changes(run: TaskRun, deployment: Deployment) -> None:
    """Tell what would change: before a deployment deletes something, and where nothing is deployed."""
    try:
        lines = list(deployment.foresee())
    except TaskFailedError as error:
        run.warn(str(error))
        return
    run.say("\n".join(["What the deployment changes:", *(lines or ["nothing"])]))


def _set_outputs(run: TaskRun, outputs: Mapping[str, Any]) -> None:
    """The outputs as variables: all as one, and each value by its path."""
    name = run.input("deploymentOutputs").strip()
    if not name or not outputs:
        return
    as_json = not run.flag("useWithoutJSON")
    for path, value in _leaves(name, outputs):
        text = json.dumps(value, ensure_ascii=False) if as_json or not isinstance(value, str) else value
        run.set_variable(path, text)
        run.say(f"Added output variable: {path}")
    run.set_variable(name, json.dumps(outputs, ensure_ascii=False, separators=(",", ":")))
    run.say(f"Added output variable: {name}")


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    members: Any = enumerate(value) if isinstance(value, list) else value.items() if isinstance(value, dict) else ()
    for key, one in members:
        if isinstance(one, dict | list) and one:
            yield from _leaves(f"{path}.{key}", one)
        elif not isinstance(one, dict | list):
            yield f"{path}.{key}", one
