"""`AzureContainerApps@1`, as far as an image is there already: an app is made, or gets another image."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sluice.plugin import TaskFailedError, TaskRun
from sluice_azure._arm import Arm
from sluice_azure._client import pause_of
from sluice_azure._deployment import Scope, ensure_group
from sluice_azure._refusals import azure_refusal
from sluice_azure._template import one_file

VERSION = "2024-03-01"
_APPS = "providers/Microsoft.App/containerApps/"
_ENVIRONMENTS = "providers/Microsoft.App/managedEnvironments/"
_NAME = re.compile(r"[a-z][a-z0-9-]{0,30}[a-z0-9]")
_INGRESS = ("external", "internal", "disabled")
_SECRET = "registry-password"  # noqa: S105  # its name in the app
_REFERENCE = "secretref:"
_RIGHT = "the role Contributor"
_MOST_YAML = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """The resource group that the app is in, by the management API."""

    run: TaskRun
    arm: Arm
    scope: Scope

    def url(self, *path: str) -> str:
        return self.arm.url(*self.scope.path, *path, version=VERSION)

    def find(self, *path: str) -> dict[str, Any] | None:
        answer = self.arm.ask(self.url(*path))
        if answer.status == 404:
            return None
        if not answer.ok:
            raise azure_refusal(self.arm.connection, answer, f"'{path[-1]}' cannot be read", right=_RIGHT)
        body = answer.json()
        return body if isinstance(body, dict) else None

    def put(self, *path: str, body: Any, method: str = "PUT") -> None:
        answer = self.arm.ask(self.url(*path), method=method, body=body)
        answer = self.arm.finished(answer) if answer.ok else answer
        if not answer.ok:
            raise azure_refusal(self.arm.connection, answer, f"'{path[-1]}' cannot be changed", right=_RIGHT)
        found = self.find(*path)
        state = ((found or {}).get("properties") or {}).get("provisioningState", "")
        if str(state).casefold() in {"failed", "canceled"}:
            raise TaskFailedError(f"'{path[-1]}' is {state}", where=self.arm.connection.name, do="see it in the portal")


def run_container_apps(run: TaskRun) -> None:
    """Make the app, or change it; raises `TaskFailedError` for what needs an image to be built first."""
    if run.input("appSourcePath").strip():
        raise TaskFailedError(
            "an image is not built here",
            where=run.task,
            do="build and push it with Docker@2, and name it in imageToDeploy",
        )
    image, described = run.input("imageToDeploy").strip(), run.input("yamlConfigPath").strip()
    if not image and not described:
        raise TaskFailedError("Input required: imageToDeploy, or yamlConfigPath", where=run.task)
    connection = run.connection("connectedServiceNameARM")
    name = _name(run)
    group_name = run.input("resourceGroup").strip() or f"{name}-rg"
    path = ("subscriptions", connection.text("subscriptionId"), "resourceGroups", group_name)
    scope = Scope(path=path, shown=f"the resource group '{group_name}'", group=group_name)
    group = _Group(run=run, arm=Arm.of(connection, pause_of(run)), scope=scope)
    if not run.input("resourceGroup").strip():
        ensure_group(run, group.arm, scope, run.required("location").strip())
    known = group.find(_APPS, name)
    if described:
        _apply(group, name, known, _read_yaml(run))
    elif known is None:
        group.put(_APPS, name, body=_new(group, name, image))
    else:
        group.put(_APPS, name, body=_changed(run, known, name, image), method="PATCH")
    _tell(group, name)


def _name(run: TaskRun) -> str:
    name = run.input("containerAppName").strip()
    if not name:
        name = f"ado-task-app-{run.variable('Build.BuildId')}-{run.variable('Build.BuildNumber')}".replace(".", "-")
        run.say(f"The app is called {name}")
    if not _NAME.fullmatch(name) or "--" in name:
        raise TaskFailedError(
            f"'{name[:60]}' is no name of a container app",
            where=run.task,
            do="2 to 32 lower-case letters, digits and '-'",
        )
    return name


def _new(group: _Group, name: str, image: str) -> dict[str, Any]:
    run = group.run
    location = run.required("location").strip()
    configuration: dict[str, Any] = {**_registry(run)}
    if (ingress := _ingress(run, {})) is not None:
        configuration["ingress"] = ingress
    container: dict[str, Any] = {"name": name, "image": image, "env": _variables(run.input("environmentVariables"))}
    properties = {
        "managedEnvironmentId": _environment(group, name, location),
        "configuration": configuration,
        "template": {"containers": [container]},
    }
    return {"location": location, "properties": properties}


def _changed(run: TaskRun, known: Mapping[str, Any], name: str, image: str) -> dict[str, Any]:
    """What changes of an app: its first container, and of its configuration what the inputs say."""
    properties = known.get("properties") or {}
    containers = [dict(one) for one in (properties.get("template") or {}).get("containers") or [{"name": name}]]
    containers[0]["image"] = image
    if written := run.input("environmentVariables").strip():
        new = _variables(written)
        names = {one["name"] for one in new}
        containers[0]["env"] = [*(one for one in containers[0].get("env") or () if one.get("name") not in names), *new]
    changes: dict[str, Any] = {"template": {"containers": containers}}
    before = properties.get("configuration") or {}
    configuration = dict(_registry(run))
    if run.input("ingress").strip() or run.input("targetPort").strip():
        configuration["ingress"] = _ingress(run, before.get("ingress") or {})
    return {"properties": {**changes, **({"configuration": configuration} if configuration else {})}}


def _ingress(run: TaskRun, before: Mapping[str, Any]) -> dict[str, Any] | None:
    kind, port = run.input("ingress").strip().casefold(), run.input("targetPort").strip()
    if kind and kind not in _INGRESS:
        raise TaskFailedError(
            f"Invalid ingress '{kind}'. The value must be one of: {', '.join(_INGRESS)}", where=run.task
        )
    if kind == "disabled":
        return None
    if port and not (port.isdecimal() and 0 < int(port) < 65536):
        raise TaskFailedError(f"'{port[:20]}' is no port", where=run.task)
    external = before.get("external", True) if not kind else kind == "external"
    return {"external": external, "targetPort": int(port) if port else before.get("targetPort", 80)}


def _registry(run: TaskRun) -> dict[str, Any]:
    """The registry's log-in, for an app that has no identity there: the password becomes a secret of the app."""
    registry, user, password = (run.input(name).strip() for name in ("acrName", "acrUsername", "acrPassword"))
    if not (registry and user and password):
        return {}
    server = registry if "." in registry else f"{registry}.azurecr.io"
    return {
        "secrets": [{"name": _SECRET, "value": password}],
        "registries": [{"server": server, "username": user, "passwordSecretRef": _SECRET}],
    }


def _variables(text: str) -> list[dict[str, str]]:
    """`NAME=value OTHER=secretref:name`, quoted as a shell does it."""
    found: list[dict[str, str]] = []
    for word in shlex.split(text):
        name, _, value = word.partition("=")
        if not name or "=" not in word:
            raise TaskFailedError(f"environmentVariables: '{word[:60]}' is not NAME=value")
        is_secret = value.startswith(_REFERENCE)
        found.append(
            {"name": name, "secretRef": value[len(_REFERENCE) :]} if is_secret else {"name": name, "value": value}
        )
    return found


def _environment(group: _Group, name: str, location: str) -> str:
    """The id of the environment that is named, or the first one of the group, or a new one."""
    named = group.run.input("containerAppEnvironment").strip()
    if not named:
        url = group.url(_ENVIRONMENTS)
        for one in group.arm.pages(url, "the environments of the group cannot be listed", right=_RIGHT):
            if isinstance(one, dict) and one.get("id"):
                return str(one["id"])
        named = f"{name}-env"
    if (known := group.find(_ENVIRONMENTS, named)) is None:
        group.run.say(f"Creating the environment {named}")
        group.put(_ENVIRONMENTS, named, body={"location": location, "properties": {}})
        known = group.find(_ENVIRONMENTS, named)
    return str((known or {}).get("id", ""))


def _apply(group: _Group, name: str, known: Mapping[str, Any] | None, described: Mapping[str, Any]) -> None:
    """An app as a file describes it; what that leaves out stays as it is."""
    body = {key: described[key] for key in ("location", "identity", "properties", "tags") if key in described}
    if known is not None:
        group.put(_APPS, name, body=body, method="PATCH")
        return
    properties = dict(body.get("properties") or {})
    location = str(body.get("location") or group.run.required("location").strip())
    properties.setdefault("managedEnvironmentId", _environment(group, name, location))
    group.put(_APPS, name, body={**body, "location": location, "properties": properties})


def _read_yaml(run: TaskRun) -> dict[str, Any]:

    path = one_file(run, "yamlConfigPath")
    if path.stat().st_size > _MOST_YAML:
        raise TaskFailedError("the file is longer than 1 MiB", where=str(path))
    found = _loaded(path.read_text(encoding="utf-8-sig", errors="replace"), str(path))
    if not isinstance(found, dict) or not isinstance(found.get("properties"), dict):
        raise TaskFailedError("the file describes no container app", where=str(path), do="it needs 'properties'")
    return found


def _loaded(text: str, where: str) -> Any:
    """What a YAML text holds. An alias is refused: a few lines of them unfold to anything."""
    import yaml

    try:
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text, yaml.CSafeLoader)):
            raise TaskFailedError("the file holds an alias: write what it stands for", where=where)
        return yaml.load(text, yaml.CSafeLoader)
    except RecursionError:
        raise TaskFailedError("the file is nested too deep", where=where) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{where}:{mark.line + 1}:{mark.column + 1}" if mark else where
        raise TaskFailedError(
            "the file is no YAML", where=place, why=str(getattr(error, "problem", "") or "")
        ) from None


def _tell(group: _Group, name: str) -> None:
    known = group.find(_APPS, name) or {}
    ingress = ((known.get("properties") or {}).get("configuration") or {}).get("ingress") or {}
    host = ingress.get("fqdn")
    group.run.say(f"The container app {name} is deployed" + (f": https://{host}" if host else ""))
