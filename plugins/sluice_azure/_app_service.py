"""App Service: finds an app, changes its settings, and hands it a package through its own deployment service (Kudu)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from sluice.plugin import Answer, Connection, Secret, TaskFailedError, TaskRun
from sluice_azure._arm import Arm
from sluice_azure._client import Client, bearer, pause_of, retry_after
from sluice_azure._profile import profile_of
from sluice_azure._refusals import azure_refusal

VERSION = "2022-03-01"
_RESOURCES = "2021-04-01"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,58}[A-Za-z0-9]?")
_FAILED, _SUCCEEDED = 3, 4
"""States of a deployment, as Kudu numbers them."""

POLL_SECONDS = 3.0
_RIGHT = "the role Website Contributor"


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """An app, or a slot of it, as the management API has it."""

    arm: Arm
    path: tuple[str, ...]
    name: str
    url: str
    repository: str

    @classmethod
    def find(cls, arm: Arm, name: str, *, group: str = "", slot: str = "") -> App:
        """The app of that name in the connection's subscription; raises `TaskFailedError` when there is none."""
        if not _NAME.fullmatch(name) or (slot and not _NAME.fullmatch(slot)):
            raise TaskFailedError(f"'{(slot or name)[:60]}' is no name of an app or a slot", where=arm.connection.name)
        path = _path(arm, name, group)
        if slot and slot.casefold() != "production":
            path = (*path, "slots", slot)
        found = arm.get(arm.url(*path, version=VERSION), f"the app '{name}' cannot be read", right=_RIGHT)
        properties = found.get("properties") if isinstance(found, dict) else None
        known: Mapping[str, Any] = properties if isinstance(properties, dict) else {}
        states = known.get("hostNameSslStates") or ()
        hosts = [one.get("name") for one in states if isinstance(one, dict) and one.get("hostType") == "Repository"]
        if not hosts or not known.get("defaultHostName"):
            raise TaskFailedError(f"the app '{name}' has no deployment service", where=arm.connection.name)
        return cls(
            arm=arm, path=path, name=name, url=f"https://{known['defaultHostName']}", repository=f"https://{hosts[0]}"
        )

    def change_settings(self, run: TaskRun, changes: Mapping[str, str], removed: tuple[str, ...] = ()) -> None:
        """Add settings to those of the app, and take some away; nothing is written where nothing changes."""
        listed = self.arm.ask(self._url("config", "appsettings", "list"), method="POST")
        if not listed.ok:
            raise azure_refusal(
                self.arm.connection, listed, f"the settings of '{self.name}' cannot be read", right=_RIGHT
            )
        body = listed.json()
        known = dict(body.get("properties") or {}) if isinstance(body, dict) else {}
        after = {key: value for key, value in {**known, **changes}.items() if key not in removed}
        if after != known:
            self._put(run, ("config", "appsettings"), {"properties": after}, "the settings", method="PUT")
            run.say(f"App settings of '{self.name}' changed: {', '.join([*changes, *removed])}")

    def configure(self, run: TaskRun, configuration: Mapping[str, Any]) -> None:
        """Change the general configuration."""
        if configuration:
            self._put(run, ("config", "web"), {"properties": dict(configuration)}, "the configuration", method="PATCH")
            run.say(f"Configuration of '{self.name}' changed: {', '.join(configuration)}")

    def _put(self, run: TaskRun, where: tuple[str, ...], body: Any, what: str, *, method: str) -> None:
        answer = self.arm.ask(self._url(*where), method=method, body=body)
        if not answer.ok:
            raise azure_refusal(self.arm.connection, answer, f"{what} of '{self.name}' cannot be changed", right=_RIGHT)

    def _url(self, *more: str) -> str:
        return self.arm.url(*self.path, *more, version=VERSION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kudu:
    """The deployment service of an app."""

    run: TaskRun
    url: str
    client: Client

    @classmethod
    def of_app(cls, run: TaskRun, app: App) -> Kudu:
        """That of an app, asked with the identity of the connection."""
        identity, connection = app.arm.identity, app.arm.connection

        def authorization() -> Secret:
            return bearer(identity.token(connection, identity.cloud.scope))

        return cls._of(run, connection, app.repository, authorization)

    @classmethod
    def of_profile(cls, run: TaskRun, connection: Connection) -> Kudu:
        """That which a publish profile names, asked with its log-in."""
        profile = profile_of(connection)
        run.mask(profile.password)
        return cls._of(run, connection, profile.url, lambda: profile.authorization)

    @classmethod
    def _of(cls, run: TaskRun, connection: Connection, url: str, authorization: Callable[[], Secret]) -> Kudu:
        client = Client(connection=connection, authorization=authorization, pause=pause_of(run))
        return cls(run=run, url=url, client=client)

    def deploy(self, package: Path, *, kind: str = "zip", path: str = "", one_deploy: bool = False) -> None:
        """Hand over a package and wait until it is deployed; raises `TaskFailedError` with what went wrong."""
        asked = {"isAsync": "true", "deployer": "Sluice"}
        place = "/api/zipdeploy"
        if kind != "zip" or one_deploy:
            place, asked = "/api/publish", {"type": kind, "async": "true", "deployer": "Sluice"}
            asked |= {"path": path} if path else {}
        self.run.say(f"Deploying {package.name} to {self.url}")
        with package.open("rb") as content:
            answer = self.client.ask(
                f"{self.url}{place}?{urlencode(asked)}",
                method="POST",
                content=content,
                headers={"Content-Type": "application/octet-stream"},
            )
        if not answer.ok:
            raise self._refused(answer, "the package was not accepted")
        self._wait(answer)

    def _wait(self, answer: Answer) -> None:
        place = answer.headers.get("location", f"{self.url}/api/deployments/latest")
        if urlsplit(place)[:2] != urlsplit(self.url)[:2]:
            raise TaskFailedError(f"{self.url} names another place for the deployment", why=urlsplit(place).netloc)
        said = ""
        while True:
            answer = self.client.ask(place)
            body = answer.json()
            if not answer.ok or not isinstance(body, dict):
                raise self._refused(answer, "the state of the deployment cannot be read")
            progress = body.get("progress") or body.get("status_text") or ""
            if isinstance(progress, str) and progress and progress != said:
                said = progress
                self.run.say(progress)
            status = body.get("status")
            if status == _SUCCEEDED:
                return
            if status == _FAILED:
                self._say_log(body)
                raise TaskFailedError("the package could not be deployed", where=self.url, why=said)
            self.client.pause(retry_after(answer, POLL_SECONDS))

    def _say_log(self, body: Mapping[str, Any]) -> None:
        """What the deployment service wrote, as far as it can be read."""
        found = self.client.ask(f"{self.url}/api/deployments/{body.get('id', 'latest')}/log").json()
        for one in found if isinstance(found, list) else ():
            if isinstance(one, dict) and isinstance(one.get("message"), str):
                self.run.say(one["message"])

    def _refused(self, answer: Answer, what: str) -> TaskFailedError:
        do = ""
        if answer.status in {401, 403}:
            do = f"give the connection's principal {_RIGHT}; access restrictions of the deployment service count, too"
        elif answer.status == 409:
            do = "another deployment is under way, or the app runs from a package at an address"
        return TaskFailedError(what, where=self.url, why=answer.shown, do=do)


def _path(arm: Arm, name: str, group: str) -> tuple[str, ...]:
    subscription = arm.connection.text("subscriptionId")
    if not group:
        asked = {"$filter": f"resourceType EQ 'Microsoft.Web/sites' AND name EQ '{name}'"}
        url = arm.url("subscriptions", subscription, "resources", version=_RESOURCES, query=asked)
        ids = [str(one.get("id", "")) for one in arm.pages(url, "the apps of the subscription cannot be listed")]
        groups = [parts[4] for one in ids if len(parts := one.split("/")) > 4]
        if not groups:
            raise TaskFailedError(
                f"there is no app '{name}' in the subscription, or the connection may not see it",
                where=arm.connection.name,
                do=f"check the name, and that its principal has {_RIGHT}",
            )
        group = groups[0]
    return ("subscriptions", subscription, "resourceGroups", group, "providers/Microsoft.Web/sites/", name)
