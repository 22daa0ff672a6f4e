from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.doubles.azure_monitor import AzureMonitor
from tests.doubles.certificates import Authority
from tests.doubles.check_runs import evaluation, judged
from tests.doubles.web import served

from sluice.errors import SluiceError
from sluice.hooks.checks import Decision
from sluice.hooks.connection import Connection
from sluice.language import success_criteria
from sluice.secret import Secret
from sluice_checks._types import AZURE_MONITOR as KIND
from sluice_checks._types import REST_API

TENANT = "11111111-2222-3333-4444-555555555555"
APPLICATION = "66666666-7777-8888-9999-000000000000"
SUBSCRIPTION = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
KEY = "spn-key-0123456789"
SHOP = {"targetResourceGroup": "shop-rg", "monitorCondition": "Fired", "alertState": "New", "severity": "Sev1"}


@pytest.fixture
def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AzureMonitor]:
    authority = Authority(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.issue("azure", tmp_path))
    double = AzureMonitor(tenant=TENANT, application=APPLICATION, key=KEY, subscription=SUBSCRIPTION)
    with served(double, context):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.path))
        monkeypatch.setenv("AZURE_AUTHORITY_HOST", double.url)
        yield double
    assert double.complaints == []


def subscription(azure: AzureMonitor, key: str = KEY) -> Connection:
    return Connection(
        id="1",
        name="azure",
        type="azurerm",
        url=f"{azure.url}/",
        scheme="ServicePrincipal",
        parameters={
            "tenantid": TENANT,
            "serviceprincipalid": APPLICATION,
            "serviceprincipalkey": Secret(key),
            "authenticationType": "spnKey",
        },
        data={"environment": "AzureCloud", "subscriptionId": SUBSCRIPTION},
    )


def decided(azure: AzureMonitor, key: str = KEY, **settings: str) -> Decision:
    connection = subscription(azure, key)
    given = {"connectedServiceNameARM": "azure", "ResourceGroupName": "shop-rg", **settings}
    return KIND.evaluate(evaluation(KIND, given, connection=lambda name: connection))


def test_without_an_active_alert_the_check_passes(azure: AzureMonitor) -> None:
    azure.alerts = [
        {"name": "resolved", **SHOP, "monitorCondition": "Resolved"},
        {"name": "closed", **SHOP, "alertState": "Closed"},
        {"name": "of others", **SHOP, "targetResourceGroup": "other-rg"},
    ]
    assert decided(azure) == Decision.approved("no alert is active")


def test_active_alerts_are_told_from_all_pages(azure: AzureMonitor) -> None:
    azure.alerts = [{"name": f"errors-{number}", **SHOP} for number in range(5)]
    decision = decided(azure)
    assert (decision.outcome, decision.message) == (
        "rejected",
        "active alerts: errors-0, errors-1, errors-2 and 2 more",
    )


def test_filters_name_a_resource_or_a_rule(azure: AzureMonitor) -> None:
    scope = f"/subscriptions/{SUBSCRIPTION}/resourcegroups/shop-rg/providers"
    azure.alerts = [{"name": "shop is slow", **SHOP, "targetResource": f"{scope}/Microsoft.Web/sites/shop"}]
    shop = {"filterType": "resource", "resource": "Microsoft.Web/sites/shop"}
    assert decided(azure, **shop).outcome == "rejected"
    assert decided(azure, **{**shop, "resource": "Microsoft.Web/sites/depot"}).outcome == "approved"
    azure.alerts = [{"name": "errors", **SHOP, "alertRule": f"{scope}/microsoft.insights/metricAlerts/errors"}]
    assert decided(azure, filterType="alertrule", alertRule="metricAlerts/errors").outcome == "rejected"
    assert decided(azure, filterType="alertrule", alertRule="metricAlerts/other").outcome == "approved"
    assert decided(azure, severity="Sev0, Sev2").outcome == "approved"


def test_an_identity_that_entra_refuses_is_an_error_without_its_key(azure: AzureMonitor) -> None:
    decision = decided(azure, key="wrong-key-0123456789")
    assert decision.outcome == "error"
    assert "Entra gives no token for this identity" in decision.message
    assert "wrong-key" not in decision.message


def test_a_value_that_azure_does_not_know_is_an_error(azure: AzureMonitor) -> None:
    decision = decided(azure, alertState="Open")
    assert (decision.outcome, decision.message) == (
        "error",
        f"{azure.url} lists no alerts: it answered 400 Bad Request",
    )


def test_the_token_goes_nowhere_else(azure: AzureMonitor) -> None:
    azure.alerts = [{"name": f"errors-{number}", **SHOP} for number in range(5)]
    azure.elsewhere = "https://127.0.0.1:9"
    decision = decided(azure)
    assert decision.outcome == "error"
    assert "goes on at https://127.0.0.1:9" in decision.message


def test_the_management_api_can_be_asked_by_a_check_of_a_rest_api(azure: AzureMonitor) -> None:
    azure.alerts = [{"name": "errors", **SHOP}]
    given = {
        "connectedServiceNameSelector": "connectedServiceNameARM",
        "connectedServiceNameARM": "azure",
        "method": "GET",
        "urlSuffix": f"subscriptions/{SUBSCRIPTION}/providers/Microsoft.AlertsManagement/alerts?api-version=2018-05-05",
        "waitForCompletion": "false",
        "successCriteria": "eq(length(root['value']), 1)",
    }
    connection = subscription(azure)
    run = evaluation(REST_API, given, connection=lambda name: connection, criteria=success_criteria)
    assert REST_API.evaluate(run).outcome == "approved"


def test_a_connection_without_subscription_is_told() -> None:
    connection = Connection(id="1", name="azure", type="azurerm", url="https://management.azure.com/")
    given = {"connectedServiceNameARM": "azure", "ResourceGroupName": "shop-rg"}
    with pytest.raises(SluiceError, match="no subscription"):
        KIND.evaluate(evaluation(KIND, given, connection=lambda name: connection))


@pytest.mark.parametrize("scheme", ["WorkloadIdentityFederation", "PublishProfile"])
def test_a_scheme_that_gives_no_token_here_is_an_error(scheme: str) -> None:
    connection = Connection(
        id="1",
        name="azure",
        type="azurerm",
        url="https://management.azure.com/",
        scheme=scheme,
        data={"subscriptionId": SUBSCRIPTION},
    )
    given = {"connectedServiceNameARM": "azure", "ResourceGroupName": "shop-rg"}
    decision = KIND.evaluate(evaluation(KIND, given, connection=lambda name: connection))
    assert (decision.outcome, decision.message) == ("error", f"checks cannot use the scheme '{scheme}' yet")


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
