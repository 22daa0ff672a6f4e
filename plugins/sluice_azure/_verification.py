"""Tries connections: the identity gets a token, and what the connection is for is there and may be read."""

from __future__ import annotations

from typing import Any

from sluice.plugin import Answer, Connection, Probe, TaskFailedError, VerificationError
from sluice_azure._arm import Arm
from sluice_azure._identity import fresh_identity
from sluice_azure._profile import profile_of
from sluice_azure._refusals import azure_refusal

_SUBSCRIPTION = "2016-06-01"
_GROUP = "2018-01-01-preview"
_WORKSPACE = "2023-10-01"
_IDENTITIES = {
    "serviceprincipal": "the service principal",
    "workloadidentityfederation": "the federated identity",
    "managedserviceidentity": "the identity of this machine",
}


def verify_resource_manager(connection: Connection) -> str:
    """Get a token and look at the subscription, management group or workspace; or log in with the publish profile."""
    try:
        if connection.scheme.casefold() == "publishprofile":
            return _profile(connection)
        # nothing that was kept: what is tried is what is stored now
        arm = Arm(connection=connection, identity=fresh_identity(connection))
        return _reached(arm)
    except TaskFailedError as error:
        raise VerificationError(error.what, where=error.where, why=error.why, do=error.do) from None


def _reached(arm: Arm) -> str:
    connection = arm.connection
    level = connection.text("scopeLevel", "Subscription").casefold()
    who = _IDENTITIES.get(connection.scheme.casefold() or "serviceprincipal", "the identity")
    if level == "managementgroup":
        name = connection.text("managementGroupId")
        url = arm.url("providers/Microsoft.Management/managementGroups/", name, version=_GROUP)
        found = _look(arm, url, f"the management group '{name}'")
        shown = _text(found, "properties", "displayName") or name
        return f"{who} reaches the management group '{shown}'"
    subscription = connection.text("subscriptionId")
    if level == "azuremlworkspace":
        group, name = connection.text("resourceGroupName"), connection.text("mlWorkspaceName")
        provider = "providers/Microsoft.MachineLearningServices/workspaces/"
        url = arm.url("subscriptions", subscription, "resourceGroups", group, provider, name, version=_WORKSPACE)
        found = _look(arm, url, f"the workspace '{name}' in the resource group '{group}'")
        return f"{who} reaches the machine-learning workspace '{name}'{_elsewhere(connection, found)}"
    found = _look(
        arm, arm.url("subscriptions", subscription, version=_SUBSCRIPTION), f"the subscription {subscription}"
    )
    state = _text(found, "state")
    if state and state.casefold() != "enabled":
        raise TaskFailedError(
            f"the subscription {subscription} is there, and its state is {state}",
            where=connection.name,
            do="nothing can be deployed to it before it is enabled again",
        )
    name, known = _text(found, "displayName"), connection.text("subscriptionName")
    other = f", which the connection calls '{known}'" if known and name and known != name else ""
    return f"{who} reaches the subscription '{name or subscription}'{other}"


def _look(arm: Arm, url: str, what: str) -> Any:
    answer = arm.ask(url)
    if answer.status == 404:
        error = azure_refusal(arm.connection, answer, f"there is no such thing as {what}, or it may not be seen")
        error.do = "check its id and the tenant, and that its principal has the role Reader there"
        raise error
    if not answer.ok:
        raise azure_refusal(arm.connection, answer, f"{what} cannot be read", right="the role Reader")
    return answer.json()


def _elsewhere(connection: Connection, found: Any) -> str:
    place, known = _text(found, "location"), connection.text("mlWorkspaceLocation")
    return f", which is in {place}, not in {known}" if place and known and _plain(place) != _plain(known) else ""


def _plain(region: str) -> str:
    return region.replace(" ", "").casefold()


def _text(value: Any, *keys: str) -> str:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""


def _profile(connection: Connection) -> str:
    profile = profile_of(connection)
    answer = Probe(connection=connection, authorization=profile.authorization).ask(f"{profile.url}/api/environment")
    if answer.status in {401, 403}:
        raise TaskFailedError(
            f"{answer.origin} does not accept the log-in of the publish profile",
            where=connection.name,
            why=answer.shown,
            do="download the profile again; the app may forbid basic authentication (Configuration, General settings)",
        )
    if not answer.ok:
        raise TaskFailedError(f"there is no app at {answer.origin}", where=connection.name, why=answer.shown)
    return f"{answer.origin} accepts the publish profile of {profile.username}"


def verify_service_bus(connection: Connection) -> str:
    """Look at the queue with the connection string."""
    from sluice_azure._service_bus import connection_string_of

    queue = connection.text("serviceBusQueueName")
    place = connection_string_of(connection)
    probe = Probe(connection=connection, authorization=place.signature(queue))
    answer = probe.ask(f"{place.url}/{queue}?api-version=2021-05", limit=_SEEN)
    if answer.status == 401 and _may_only_send(answer):
        return f"{answer.origin} knows the key; it may not look at the queue '{queue}', so that was not checked"
    if answer.status in {401, 403}:
        raise VerificationError(
            f"{answer.origin} does not accept the connection string",
            where=connection.name,
            why=answer.shown,
            do="its key was renewed, or is of another namespace: copy the connection string again",
        )
    if answer.status == 404 or b"<QueueDescription" not in answer.body:
        raise VerificationError(
            f"{answer.origin} has no queue '{queue}'", where=connection.name, do="check serviceBusQueueName"
        )
    return f"{answer.origin} accepts the connection string and has the queue '{queue}'"


_SEEN = 64 * 1024


def _may_only_send(answer: Answer) -> bool:
    """Service Bus answers a key without the right Manage 401 as well, with a sentence of its own."""
    return b"Manage" in answer.body and b"claim" in answer.body
