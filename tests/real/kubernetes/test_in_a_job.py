"""Runs from end to end, typed as a person does."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

import pytest
from tests.agent.cli.conftest import Sluice, sluice
from tests.real.kubernetes.conftest import ApiServer, Namespace

pytestmark = pytest.mark.real

__all__ = ["sluice"]

EXAMPLE = Path(__file__).parents[3] / "examples" / "kubernetes"


@pytest.fixture(scope="module")
def place(api_server: ApiServer) -> Namespace:
    return api_server.namespace("jobs")


@pytest.fixture
def person(sluice: Sluice, api_server: ApiServer) -> Sluice:
    sluice.environment["PATH"] = f"{api_server.programs}:{Path(sys.executable).parent}:/usr/bin:/bin"
    return sluice


def connect(person: Sluice, place: Namespace) -> None:
    name = "deployer-token"
    known = name in place.names("secrets")
    secret = place.get("secrets", name) if known else place.secret_object()
    arguments = ["--type", "kubernetes", "--scheme", "Token", "--url", place.server.url, "--secret", "apitoken=-"]
    person("connection", "create", "cluster", *arguments, "--verify", given=json.dumps(secret))


def test_a_log_in_lasts_until_the_log_out_and_no_longer_than_the_job(person: Sluice, place: Namespace) -> None:
    connect(person, place)
    assert "knows the credentials as system:serviceaccount:jobs:deployer" in person.printed
    (person.folder / "azure-pipelines.yml").write_text(
        "steps:\n- checkout: none\n"
        "- task: Kubernetes@1\n  inputs: {command: login, kubernetesServiceEndpoint: cluster}\n"
        "- script: |\n"
        "    kubectl get serviceaccount deployer -o name\n"
        "    kubectl config view --raw\n"
        '    echo "mode $(stat -c %a "$KUBECONFIG") in $(stat -c %a "$AGENT_TEMPDIRECTORY")"\n'
        "- task: Kubernetes@1\n  name: Known\n"
        "  inputs: {connectionType: None, command: get, arguments: serviceaccount deployer -o name, outputFormat: none}\n"
        "- task: Kubernetes@1\n  inputs: {command: logout, connectionType: None}\n"
        '- script: \'test -z "$KUBECONFIG" && ! kubectl get pods && echo "known as $(Known.KubectlOutput)"\'\n'
    )
    said = person("run", "--non-interactive", "--permit", "cluster")
    assert "serviceaccount/deployer\n" in said
    assert "token: ***" in said
    assert f"server: {place.server.url}\n" in said
    assert "mode 600 in 700\n" in said
    assert "known as serviceaccount/deployer\n" in said
    left = [path for path in person.home.rglob("config") if path.parent.name == "kube"]
    assert left == []


def test_the_example_deploys_a_canary_and_promotes_it(person: Sluice, place: Namespace) -> None:
    for path in EXAMPLE.rglob("*"):
        if path.is_file():
            target = person.folder / path.relative_to(EXAMPLE)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(path.read_text().replace("https://cluster.example.org:6443", place.server.url))
    place.account("example", role="admin")
    person.environment["SHOP_CLUSTER_SECRET"] = json.dumps(place.secret_object("example"))
    person("connection", "apply", "connections.yml")
    said = person("run", "--non-interactive", "--permit", "shop-cluster", "--parameter", f"namespace={place.name}")
    assert "deployment/web-canary: successfully rolled out" in said
    assert place.names("deployments") == {"web"}
    image = place.get("deployments", "web")["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image == "registry.example.org/shop/web:1"


def test_a_connection_that_nobody_permitted_reaches_no_cluster(person: Sluice, place: Namespace) -> None:
    connect(person, place)
    (person.folder / "azure-pipelines.yml").write_text(
        "steps:\n- checkout: none\n"
        "- task: KubernetesManifest@1\n  inputs: {action: deploy, kubernetesServiceConnection: cluster, manifests: m.yml}\n"
    )
    (person.folder / "m.yml").write_text("{apiVersion: v1, kind: ConfigMap, metadata: {name: never}}")
    person("run", "--non-interactive", status=4)
    assert "never" not in place.names("configmaps")


def test_nothing_of_the_credentials_is_left_in_the_state_folder(person: Sluice, place: Namespace) -> None:
    connect(person, place)
    (person.folder / "azure-pipelines.yml").write_text(
        "steps:\n- checkout: none\n"
        "- task: Kubernetes@1\n  inputs: {command: login, kubernetesServiceEndpoint: cluster}\n"
        "- task: HelmDeploy@1\n  inputs: {connectionType: None, command: ls}\n"
    )
    person("run", "--non-interactive", "--permit", "cluster")
    encoded = place.get("secrets", "deployer-token")["data"]["token"]
    for path in person.home.rglob("*"):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            assert encoded.encode() not in content, path
            assert base64.b64decode(encoded) not in content, path
