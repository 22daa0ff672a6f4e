"""ServiceFabricDeploy@1 against a cluster that keeps what it is given."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.conftest import Giver
from tests.doubles.service_fabric import Application, Cluster, Tenant
from tests.doubles.service_fabric_site import PASSWORD, Site

from sluice.runtime.cancellation import Cancellation
from sluice.runtime.request import Result
from sluice.testing.task_runner import TaskOutcome, run_task

XMLNS = 'xmlns="http://schemas.microsoft.com/2011/01/fabric"'
NAME = "fabric:/Shop/Voting"


def package(root: Path, version: str = "1.0.0", service: str = "1.0.0") -> Path:
    folder = root / "pkg" / "Release"
    code = folder / "VotingWebPkg" / "Code"
    code.mkdir(parents=True, exist_ok=True)
    (code / "run.sh").write_text("#!/bin/sh\n")
    (folder / "VotingWebPkg" / "ServiceManifest.xml").write_text(
        f'<ServiceManifest {XMLNS} Name="VotingWebPkg" Version="{service}"/>'
    )
    (folder / "ApplicationManifest.xml").write_text(
        f'<ApplicationManifest {XMLNS} ApplicationTypeName="VotingType" ApplicationTypeVersion="{version}">'
        '<Parameters><Parameter Name="Instances" DefaultValue="1"/><Parameter Name="Color" DefaultValue=""/></Parameters>'
        '<ServiceManifestImport><ServiceManifestRef ServiceManifestName="VotingWebPkg" '
        'ServiceManifestVersion="1.0.0"/></ServiceManifestImport></ApplicationManifest>'
    )
    return folder


def settings(root: Path, upgrade: str = "") -> Path:
    (root / "Cloud.xml").write_text(
        f'<Application {XMLNS} Name="{NAME}"><Parameters><Parameter Name="Instances" Value="3"/>'
        '<Parameter Name="Color" Value="blue"/></Parameters></Application>'
    )
    profile = root / "profile.xml"
    profile.write_text(
        '<PublishProfile xmlns="http://schemas.microsoft.com/2015/05/fabrictools">'
        f'<ApplicationParameterFile Path=".\\Cloud.xml"/>{upgrade}</PublishProfile>'
    )
    return profile


def run(
    site: Site,
    cluster: Cluster,
    inputs: Mapping[str, str] | None = None,
    variables: Mapping[str, str] | None = None,
    cancellation: Cancellation | None = None,
) -> TaskOutcome:
    given = {"applicationPackagePath": "pkg/Release", "publishProfilePath": "profile.xml", **(inputs or {})}
    return run_task(
        "ServiceFabricDeploy@1",
        inputs=given,
        connections={"serviceConnectionName": site.connection(cluster)},
        sources=site.folder,
        variables=variables,
        cancellation=cancellation,
    )


UPGRADE = (
    '<UpgradeDeployment Mode="Monitored" Enabled="true"><Parameters FailureAction="Rollback" {}/></UpgradeDeployment>'
)


@pytest.fixture
def sources(site: Site) -> Path:
    package(site.folder)
    settings(site.folder)
    return site.folder


@pytest.mark.parametrize("compress", ["true", "false"])
def test_an_application_is_created(site: Site, cluster: Cluster, sources: Path, compress: str, evidence: Giver) -> None:
    sent: dict[str, bytes] = {}
    real = cluster._provision

    def provision(body: dict[str, object]) -> object:
        sent.update(cluster.images)
        return real(body)

    cluster._provision = provision  # type: ignore[method-assign,assignment]
    outcome = run(site, cluster, {"compressPackage": compress})
    assert outcome.result == Result.SUCCEEDED, outcome.log
    made = cluster.applications["Shop~Voting"]
    assert made == Application("VotingType", "1.0.0", {"Instances": "3", "Color": "blue"})
    assert cluster.images == {}  # the store is left as it was
    names = {name.partition("/")[2]: content for name, content in sent.items()}
    assert {"ApplicationManifest.xml", "_.dir", "VotingWebPkg/_.dir", "VotingWebPkg/ServiceManifest.xml"} <= set(names)
    if compress == "true":
        with zipfile.ZipFile(io.BytesIO(names["VotingWebPkg/Code.zip"])) as archive:
            assert archive.read("run.sh") == b"#!/bin/sh\n"
    else:
        assert names["VotingWebPkg/Code/run.sh"] == b"#!/bin/sh\n"
    assert PASSWORD not in outcome.log
    assert "Create application succeeded." in outcome.lines
    evidence("servicefabric", "Certificate", "used", "Service Fabric (double)", task="ServiceFabricDeploy@1")


def test_parameters_are_those_of_the_pipeline_where_that_is_wanted(site: Site, cluster: Cluster, sources: Path) -> None:
    variables = {"color": "green", "Other": "unknown to the application"}
    assert run(site, cluster, {"overrideApplicationParameter": "true"}, variables).result == Result.SUCCEEDED
    assert cluster.applications["Shop~Voting"].parameters == {"Instances": "3", "Color": "green"}


def test_an_application_is_upgraded_and_old_versions_go(site: Site, cluster: Cluster, sources: Path) -> None:
    package(sources, "2.0.0")
    settings(sources, UPGRADE.format('HealthCheckRetryTimeoutSec="30" ForceRestart="True"'))
    cluster.types |= {("VotingType", "1.0.0"): "Available", ("VotingType", "0.9.0"): "Available"}
    cluster.applications["Shop~Voting"] = Application("VotingType", "1.0.0", {})
    outcome = run(site, cluster)
    assert outcome.result == Result.SUCCEEDED, outcome.log
    assert cluster.applications["Shop~Voting"].version == "2.0.0"
    (body,) = cluster.upgrades
    assert body["Name"] == NAME
    assert body["ForceRestart"] is True
    assert body["MonitoringPolicy"] == {
        "FailureAction": "Rollback",
        "HealthCheckRetryTimeoutInMilliseconds": "30000",
    }
    assert set(cluster.types) == {("VotingType", "2.0.0")}
    assert "RollingForwardInProgress: 1 of 2 upgrade domains" in outcome.lines
    assert (100, "2 of 2 upgrade domains") in outcome.progress


def test_the_step_says_how_to_upgrade_in_place_of_the_profile(site: Site, cluster: Cluster, sources: Path) -> None:
    package(sources, "2.0.0")
    cluster.types[("VotingType", "1.0.0")] = "Available"
    cluster.applications["Shop~Voting"] = Application("VotingType", "1.0.0", {})
    inputs = {
        "overridePublishProfileSettings": "true",
        "FailureAction": "Manual",
        "ConsiderWarningAsError": "true",
        "DefaultServiceTypeHealthPolicy": "10,20,30",
        "ServiceTypeHealthPolicyMap": """@{"Web"="1,2,3";'Back end'="4, 5, 6"}""",
        "unregisterUnusedVersions": "false",
    }
    outcome = run(site, cluster, inputs)
    assert outcome.result == Result.SUCCEEDED, outcome.log
    policy = cluster.upgrades[0]["ApplicationHealthPolicy"]
    assert policy["ConsiderWarningAsError"] is True
    assert policy["DefaultServiceTypeHealthPolicy"] == {
        "MaxPercentUnhealthyPartitionsPerService": 10,
        "MaxPercentUnhealthyReplicasPerPartition": 20,
        "MaxPercentUnhealthyServices": 30,
    }
    assert [one["Key"] for one in policy["ServiceTypeHealthPolicyMap"]] == ["Web", "Back end"]
    assert ("VotingType", "1.0.0") in cluster.types


def test_an_upgrade_that_is_rolled_back_fails_the_step(site: Site, cluster: Cluster, sources: Path) -> None:
    package(sources, "2.0.0")
    settings(sources, UPGRADE.format(""))
    cluster.types[("VotingType", "1.0.0")] = "Available"
    cluster.applications["Shop~Voting"] = Application("VotingType", "1.0.0", {})
    cluster.states = ["RollingForwardInProgress", "RollingBackInProgress", "RollingBackCompleted"]
    outcome = run(site, cluster)
    assert outcome.result == Result.FAILED
    assert "ended as RollingBackCompleted: HealthCheck" in outcome.message


def test_an_upgrade_to_what_is_there_may_be_skipped(site: Site, cluster: Cluster, sources: Path) -> None:
    settings(sources, UPGRADE.format(""))
    cluster.applications["Shop~Voting"] = Application("VotingType", "1.0.0", {})
    assert run(site, cluster, {"skipUpgradeSameTypeAndVersion": "true"}).result == Result.SUCCEEDED
    assert {call.method for call in cluster.calls} == {"GET"}


@pytest.mark.parametrize(
    ("behavior", "version", "replaced"),
    [
        ("Never", "1.0.0", False),
        ("SameAppTypeAndVersion", "1.0.0", True),
        ("SameAppTypeAndVersion", "0.9.0", False),
        ("Always", "0.9.0", True),
    ],
)
def test_an_application_is_replaced_as_the_step_says(
    site: Site, cluster: Cluster, sources: Path, behavior: str, version: str, replaced: bool
) -> None:
    cluster.types[("VotingType", version)] = "Available"
    cluster.applications["Shop~Voting"] = Application("VotingType", version, {"Color": "old"})
    outcome = run(site, cluster, {"overwriteBehavior": behavior})
    assert (outcome.result == Result.SUCCEEDED) is replaced, outcome.log
    assert (cluster.applications["Shop~Voting"].parameters["Color"] == "blue") is replaced
    if not replaced:
        assert f"An application with name '{NAME}' already exists" in outcome.message


def test_a_package_that_others_use_stays_registered(site: Site, cluster: Cluster, sources: Path) -> None:
    cluster.types[("VotingType", "1.0.0")] = "Available"
    cluster.applications["Other"] = Application("VotingType", "1.0.0", {})
    outcome = run(site, cluster)
    assert outcome.result == Result.SUCCEEDED, outcome.log
    assert "An application uses it: it stays as it is." in outcome.lines
    assert not any(call.method == "PUT" for call in cluster.calls)


def test_a_package_that_the_cluster_does_not_take_is_told(site: Site, cluster: Cluster, sources: Path) -> None:
    cluster.fails = "The ServiceManifest is invalid."
    outcome = run(site, cluster)
    assert outcome.result == Result.FAILED
    assert "could not register the package: The ServiceManifest is invalid." in outcome.message
    assert cluster.images == {}


def test_a_client_that_may_only_read_is_told(site: Site, cluster: Cluster, sources: Path) -> None:
    cluster.admin = False
    outcome = run(site, cluster)
    assert outcome.result == Result.FAILED
    assert "does not let this client do that: it does not know it, or only as a reader" in outcome.message


def test_a_canceled_deployment_stops_waiting(site: Site, cluster: Cluster, sources: Path) -> None:
    cancellation = Cancellation()
    cluster.registering = 10**6
    real = cluster._provision

    def provision(body: dict[str, object]) -> object:
        cancellation.cancel()
        return real(body)

    cluster._provision = provision  # type: ignore[method-assign,assignment]
    assert run(site, cluster, cancellation=cancellation).result == Result.CANCELED
    assert cluster.images == {}


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ({"applicationPackagePath": "nowhere"}, "Not found: nowhere"),
        ({"applicationPackagePath": "pkg"}, "this is no application package"),
        ({"publishProfilePath": ""}, "nothing says what the application's name is"),
        ({"applicationParameterPath": "profile.xml"}, "the file names no application"),
        ({"configureDockerSettings": "true"}, "configureDockerSettings is not supported"),
    ],
)
def test_what_is_wrong_with_the_step_is_told_before_anything_happens(
    site: Site, cluster: Cluster, sources: Path, inputs: dict[str, str], told: str
) -> None:
    outcome = run(site, cluster, inputs)
    assert outcome.result == Result.FAILED
    assert told in outcome.message
    assert not any(call.method != "GET" for call in cluster.calls)


def test_a_package_is_looked_at_before_it_is_copied(site: Site, cluster: Cluster, sources: Path) -> None:
    package(sources, service="9.9.9")
    assert "the manifest wants version 1.0.0 of 'VotingWebPkg'" in run(site, cluster).message
    assert run(site, cluster, {"skipPackageValidation": "true"}).result == Result.SUCCEEDED


def test_links_and_declarations_of_entities_are_refused(site: Site, cluster: Cluster, sources: Path) -> None:
    secret = sources / "pkg" / "Release" / "VotingWebPkg" / "Code" / "passwd"
    secret.symlink_to("/etc/passwd")
    for compress in ("true", "false"):
        outcome = run(site, cluster, {"compressPackage": compress})
        assert "the package holds a link, which is not followed" in outcome.message
    secret.unlink()
    (sources / "Cloud.xml").write_text('<!DOCTYPE a [<!ENTITY x "y">]><Application Name="fabric:/a"/>')
    assert "has a DOCTYPE" in run(site, cluster).message


def test_a_pattern_names_the_package(site: Site, cluster: Cluster, sources: Path) -> None:
    assert run(site, cluster, {"applicationPackagePath": "**/Release"}).result == Result.SUCCEEDED


def test_an_entra_account_deploys(site: Site, sources: Path, monkeypatch: pytest.MonkeyPatch, evidence: Giver) -> None:
    cluster, tenant = Cluster(), Tenant("contoso", "client-id-0001", "https://cluster.example", "entra-token-0001")
    site.start(tenant, clients=False)
    site.start(cluster, clients=False)
    cluster.token = tenant.token
    cluster.aad = {"tenant": "contoso", "client": tenant.client, "cluster": tenant.cluster, "login": tenant.url}
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", tenant.url)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(site.authority.path))
    account = {"username": "ada@example.com", "password": "pass-word-0001"}
    outcome = run_task(
        "ServiceFabricDeploy@1",
        inputs={"applicationPackagePath": "pkg/Release", "publishProfilePath": "profile.xml"},
        connections={"serviceConnectionName": site.connection(cluster, "UsernamePassword", **account)},
        sources=site.folder,
    )
    assert outcome.result == Result.SUCCEEDED, outcome.log
    assert "Shop~Voting" in cluster.applications
    evidence("servicefabric", "UsernamePassword", "used", "Service Fabric (double)", task="ServiceFabricDeploy@1")
