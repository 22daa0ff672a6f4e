from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.doubles.azure_monitor import Monitor
from tests.doubles.check_runs import evaluation, judged
from tests.plugins.sluice_azure.conftest import KEY, SUBSCRIPTION, World, world

from sluice.errors import SluiceError
from sluice.hooks.checks import Decision
from sluice.hooks.connection import Connection
from sluice.language import success_criteria
from sluice_checks._types import AZURE_MONITOR as KIND
from sluice_checks._types import REST_API

if TYPE_CHECKING:
    from tests.conftest import Giver

__all__ = ["world"]

SHOP = {"targetResourceGroup": "shop-rg", "monitorCondition": "Fired", "alertState": "New", "severity": "Sev1"}
MANAGEMENT_URL = "https://management.azure.com"


@pytest.fixture
def azure(world: World) -> Monitor:
    return Monitor(world.azure, world.management)


def subscription(world: World, scheme: str = "ServicePrincipal", key: str = KEY) -> Connection:
    world.federate()
    secrets = {"serviceprincipalkey": key} if scheme == "ServicePrincipal" else {}
    return world.open(world.create(scheme, secrets=secrets))


def decided(world: World, connection: Connection | None = None, **settings: str) -> Decision:
    known = {one.name: one for one in world.store.list("default")}
    opened = connection or (world.open(known["cloud"]) if known else subscription(world))
    given = {"connectedServiceNameARM": "azure", "ResourceGroupName": "shop-rg", **settings}
    return KIND.evaluate(evaluation(KIND, given, connection=lambda name: opened))


def test_without_an_active_alert_the_check_passes(world: World, azure: Monitor) -> None:
    azure.alerts = [
        {"name": "resolved", **SHOP, "monitorCondition": "Resolved"},
        {"name": "closed", **SHOP, "alertState": "Closed"},
        {"name": "of others", **SHOP, "targetResourceGroup": "other-rg"},
    ]
    assert decided(world) == Decision.approved("no alert is active")


def test_active_alerts_are_told_from_all_pages(world: World, azure: Monitor) -> None:
    azure.alerts = [{"name": f"errors-{number}", **SHOP} for number in range(5)]
    decision = decided(world)
    assert (decision.outcome, decision.message) == (
        "rejected",
        "active alerts: errors-0, errors-1, errors-2 and 2 more",
    )


def test_filters_name_a_resource_or_a_rule(world: World, azure: Monitor) -> None:
    scope = f"/subscriptions/{SUBSCRIPTION}/resourcegroups/shop-rg/providers"
    azure.alerts = [{"name": "shop is slow", **SHOP, "targetResource": f"{scope}/Microsoft.Web/sites/shop"}]
    shop = {"filterType": "resource", "resource": "Microsoft.Web/sites/shop"}
    assert decided(world, None, **shop).outcome == "rejected"
    assert decided(world, None, **{**shop, "resource": "Microsoft.Web/sites/depot"}).outcome == "approved"
    azure.alerts = [{"name": "errors", **SHOP, "alertRule": f"{scope}/microsoft.insights/metricAlerts/errors"}]
    assert decided(world, filterType="alertrule", alertRule="metricAlerts/errors").outcome == "rejected"
    assert decided(world, filterType="alertrule", alertRule="metricAlerts/other").outcome == "approved"
    assert decided(world, severity="Sev0, Sev2").outcome == "approved"


def test_an_identity_that_entra_refuses_is_an_error_without_its_key(world: World, azure: Monitor) -> None:
    decision = decided(world, subscription(world, key="wrong-key-0123456789"))
    assert decision.outcome == "error"
    assert "Entra does not accept the client secret" in decision.message
    assert "wrong-key" not in decision.message


def test_a_value_that_azure_does_not_know_is_an_error(world: World, azure: Monitor) -> None:
    decision = decided(world, alertState="Open")
    assert (decision.outcome, decision.message) == (
        "error",
        f"{MANAGEMENT_URL}:443 lists no alerts: it answered 400 Bad Request",
    )


def test_the_token_goes_nowhere_else(world: World, azure: Monitor) -> None:
    azure.alerts = [{"name": f"errors-{number}", **SHOP} for number in range(5)]
    azure.elsewhere = "https://127.0.0.1:9"
    decision = decided(world)
    assert decision.outcome == "error"
    assert "goes on at https://127.0.0.1:9" in decision.message


def test_the_management_api_can_be_asked_by_a_check_of_a_rest_api(world: World, azure: Monitor) -> None:
    azure.alerts = [{"name": "errors", **SHOP}]
    given = {
        "connectedServiceNameSelector": "connectedServiceNameARM",
        "connectedServiceNameARM": "azure",
        "method": "GET",
        "urlSuffix": f"subscriptions/{world.azure.subscription}/providers/Microsoft.AlertsManagement/alerts?api-version=2018-05-05",
        "waitForCompletion": "false",
        "successCriteria": "eq(length(root['value']), 1)",
    }
    connection = subscription(world)
    run = evaluation(REST_API, given, connection=lambda name: connection, criteria=success_criteria)
    assert REST_API.evaluate(run).outcome == "approved"


def test_a_connection_without_subscription_is_told() -> None:
    connection = Connection(id="1", name="azure", type="azurerm", url="https://management.azure.com/")
    given = {"connectedServiceNameARM": "azure", "ResourceGroupName": "shop-rg"}
    with pytest.raises(SluiceError, match="no subscription"):
        KIND.evaluate(evaluation(KIND, given, connection=lambda name: connection))


@pytest.mark.parametrize("scheme", ["ServicePrincipal", "WorkloadIdentityFederation"])
def test_every_identity_may_ask(world: World, azure: Monitor, evidence: Giver, scheme: str) -> None:
    assert decided(world, subscription(world, scheme)).outcome == "approved"


def test_a_publish_profile_is_no_identity(world: World) -> None:
    profile = "<publishData><publishProfile/></publishData>"
    connection = world.open(world.create("PublishProfile", secrets={"publishProfile": profile}))
    decision = decided(world, connection)
    assert decision.outcome == "error"
    assert "has no identity that is given access tokens" in decision.message


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"filterType": "resource"}, "resource: name it with its type"),
        ({"filterType": "resource", "resource": "shop"}, "resource: name it with its type"),
        ({"filterType": "alertrule", "alertRule": "a/../../x"}, "alertRule: name it with its type"),
    ],
)
def test_a_filter_that_is_chosen_is_to_be_given(settings: dict[str, str], said: str) -> None:
    (problem,) = judged(KIND, settings)
    assert said in problem
    connection = Connection(id="1", name="azure", type="azurerm", data={"subscriptionId": SUBSCRIPTION})
    given = {"connectedServiceNameARM": "azure", "ResourceGroupName": "shop-rg", **settings}
    with pytest.raises(SluiceError, match="no alert belongs to"):
        KIND.evaluate(evaluation(KIND, given, connection=lambda name: connection))
    assert judged(KIND, {}) == ()
