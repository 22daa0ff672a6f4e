"""Deployments of templates: validated, what they would change, carried out, and what came of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sluice.plugin import Answer, CanceledError, TaskFailedError, TaskRun
from sluice_azure._arm import Arm
from sluice_azure._refusals import azure_refusal

VERSION = "2021-04-01"
_PROVIDER = "providers/Microsoft.Resources/deployments/"
_CHANGES = ("Create", "Delete", "Modify", "Deploy", "Unsupported", "NoChange", "Ignore")
_MOST_SHOWN = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Where something is deployed: the parts of its path; `location` is where a deployment above groups is kept."""

    path: tuple[str, ...]
    shown: str
    location: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One deployment of a name in a scope; `properties` hold the template, its parameters and the mode."""

    run: TaskRun
    arm: Arm
    scope: Scope
    name: str
    properties: Mapping[str, Any]

    def validate(self) -> None:
        """Let Azure check the template; raises `TaskFailedError` with everything that it does not like."""
        answer = self.arm.finished(self.arm.ask(self._url("validate"), method="POST", body=self._body()))
        body = answer.json()
        error = body.get("error") if isinstance(body, dict) else None
        if answer.ok and not error:
            return
        raise self._failed(answer, error, "the template is not valid")

    def foresee(self) -> Iterator[str]:
        """What the deployment would change, a line each."""
        answer = self.arm.finished(self.arm.ask(self._url("whatIf"), method="POST", body=self._body()))
        body = answer.json()
        found = body if isinstance(body, dict) else {}
        if not answer.ok or found.get("error"):
            raise self._failed(answer, found.get("error"), "what the deployment would change cannot be foreseen")
        properties = found.get("properties")
        changes = (properties.get("changes") if isinstance(properties, dict) else None) or []
        ordered = sorted((one for one in changes if isinstance(one, dict)), key=_by_change)
        for one in ordered[:_MOST_SHOWN]:
            yield f"{one.get('changeType', '')!s:<11} {one.get('resourceId', '')}"
        if len(ordered) > _MOST_SHOWN:
            yield f"... and {len(ordered) - _MOST_SHOWN} more"

    def carry_out(self) -> Mapping[str, Any]:
        """Deploy, wait for the end, and answer the outputs. Canceled, Azure is told to stop, too."""
        url = self._url()
        answer = self.arm.ask(url, method="PUT", body=self._body())
        if not answer.ok:
            raise self._failed(answer, _error(answer), "the deployment was not accepted")
        try:
            answer = self.arm.finished(answer)
        except CanceledError:
            self.arm.ask(self._url("cancel"), method="POST")
            raise
        body = answer.json()
        status = str(body.get("status") or "") if isinstance(body, dict) else ""
        if not answer.ok or status.casefold() in {"failed", "canceled"}:
            raise self._failed(answer, _error(answer), f"the deployment '{self.name}' did not succeed")
        done = self.arm.get(url, f"the outcome of the deployment '{self.name}' cannot be read")
        found = done.get("properties") if isinstance(done, dict) else None
        properties: Mapping[str, Any] = found if isinstance(found, dict) else {}
        state = str(properties.get("provisioningState", ""))
        if state.casefold() not in {"succeeded", ""}:
            raise self._failed(answer, properties.get("error"), f"the deployment '{self.name}' is {state}")
        outputs = properties.get("outputs")
        return outputs if isinstance(outputs, dict) else {}

    def _url(self, *action: str) -> str:
        return self.arm.url(*self.scope.path, _PROVIDER, self.name, *action, version=VERSION)

    def _body(self) -> dict[str, Any]:
        return {**({"location": self.scope.location} if self.scope.location else {}), "properties": self.properties}

    def _failed(self, answer: Answer, error: Any, what: str) -> TaskFailedError:
        """Every detail that Azure tells becomes an issue; the first says why the step fails."""
        if answer.status in {401, 403} and not answer.ok:
            return azure_refusal(
                self.arm.connection, answer, f"{what}: {self.scope.shown} refuses it", right="the role Contributor"
            )
        told = list(_details(error))
        for one in told[1:]:
            self.run.error(one)
        return TaskFailedError(what, where=self.scope.shown, why=told[0] if told else answer.shown)


def ensure_group(run: TaskRun, arm: Arm, scope: Scope, location: str) -> None:
    """Make the resource group when it is not there."""
    url = arm.url(*scope.path, version=VERSION)
    answer = arm.ask(url, method="HEAD")
    if answer.status == 404:
        run.say(f"Creating Resource Group: {scope.group}")
        answer = arm.ask(url, method="PUT", body={"location": location})
        if not answer.ok:
            raise azure_refusal(
                arm.connection,
                answer,
                f"the resource group '{scope.group}' cannot be made",
                right="the role Contributor",
            )
        run.say("Resource Group created successfully.")
    elif not answer.ok:
        raise azure_refusal(
            arm.connection,
            answer,
            f"the resource group '{scope.group}' cannot be looked at",
            right="the role Contributor",
        )


def delete_group(run: TaskRun, arm: Arm, scope: Scope) -> None:
    """Delete a resource group and everything in it, and wait until it is gone."""
    run.say(f"Deleting resource group {scope.group}")
    answer = arm.finished(arm.ask(arm.url(*scope.path, version=VERSION), method="DELETE"))
    if not answer.ok and answer.status != 404:
        raise azure_refusal(
            arm.connection,
            answer,
            f"the resource group '{scope.group}' cannot be deleted",
            right="the role Contributor",
        )
    run.say(f"Deleted resource group {scope.group}" if answer.ok else f"There is no resource group {scope.group}")


def _error(answer: Answer) -> Any:
    body = answer.json()
    return body.get("error") if isinstance(body, dict) else None


def _details(error: Any, depth: int = 0) -> Iterator[str]:
    """The errors of an error, the outer one first, each as `code: message`."""
    if not isinstance(error, dict) or depth > 8:
        return
    code, message = error.get("code"), error.get("message")
    if isinstance(code, str):
        yield f"{code}: {message}" if isinstance(message, str) else code
    for one in error.get("details") or ():
        yield from _details(one, depth + 1)


def _by_change(change: Mapping[str, Any]) -> tuple[int, str]:
    kind = str(change.get("changeType", ""))
    return (_CHANGES.index(kind) if kind in _CHANGES else len(_CHANGES)), str(change.get("resourceId", ""))
