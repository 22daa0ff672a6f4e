from __future__ import annotations

import base64
import itertools
import json
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.conftest import Giver
from tests.real.kubernetes.conftest import BROKEN, SERVER, ApiServer, Namespace, until

from sluice.plugin import Connection, Secret
from sluice.runtime.cancellation import Cancellation
from sluice.runtime.request import Result
from sluice.testing.task_runner import TaskOutcome, run_task

pytestmark = pytest.mark.real

_NUMBERS = itertools.count(1)


@pytest.fixture
def place(api_server: ApiServer) -> Namespace:
    """A namespace of the test's own."""
    return api_server.namespace(f"place-{next(_NUMBERS)}")


@pytest.fixture
def manifest(place: Namespace, tmp_path: Path) -> Manifest:
    return Manifest(place, tmp_path)


class Manifest:
    """Runs `KubernetesManifest@1` in a folder with manifests."""

    def __init__(self, place: Namespace, folder: Path) -> None:
        self.place = place
        self.folder = folder

    def write(self, *objects: dict[str, Any], name: str = "all.yml") -> None:
        (self.folder / name).write_text(yaml.safe_dump_all(objects))

    def run(self, action: str, connections: dict[str, Connection] | None = None, **more: Any) -> TaskOutcome:
        inputs = {key: value for key, value in more.items() if isinstance(value, str)}
        options = {key: value for key, value in more.items() if not isinstance(value, str)}
        known = {"kubernetesServiceEndpoint": self.place.connection(), **(connections or {})}
        return run_task(
            "KubernetesManifest@1",
            inputs={"action": action, "manifests": "*.yml", "rolloutStatusTimeout": "60", **inputs},
            connections=known if action != "bake" else {},
            sources=self.folder,
            environment={"PATH": f"{self.place.server.programs}:/usr/bin:/bin", "HOME": str(self.folder)},
            variables={
                "Build.BuildNumber": "20261125.7",
                "System.TeamProject": "shop",
                "Build.DefinitionName": "release",
            },
            **options,
        )

    def __call__(self, action: str, **more: Any) -> TaskOutcome:
        outcome = self.run(action, **more)
        assert outcome.result is Result.SUCCEEDED, outcome.log
        return outcome

    def fails(self, action: str, **more: Any) -> str:
        outcome = self.run(action, **more)
        assert outcome.result is Result.FAILED, outcome.log
        return outcome.message


def deployment(
    name: str = "web", image: str = "example/web:1", replicas: int = 2, strategy: str = ""
) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "annotations": {"azure-pipelines/strategy": strategy} if strategy else {}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": image}]},
            },
        },
    }


def service(name: str = "web", kind: str = "ClusterIP") -> dict[str, Any]:
    spec = {"type": kind, "selector": {"app": name}, "ports": [{"port": 80}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def image_of(place: Namespace, name: str) -> str:
    return str(place.get("deployments", name)["spec"]["template"]["spec"]["containers"][0]["image"])


def test_manifests_are_applied_and_their_rollout_is_waited_for(
    manifest: Manifest, place: Namespace, evidence: Giver
) -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"day": "2026-11-25"}}
    manifest.write(deployment(), service(), {"apiVersion": "v1", "kind": "List", "items": [config]})
    outcome = manifest("deploy")
    assert place.get("deployments", "web")["status"]["availableReplicas"] == 2
    assert place.get("configmaps", "settings")["data"] == {"day": "2026-11-25"}
    assert "deployment/web: successfully rolled out" in outcome.lines
    assert outcome.progress
    evidence("kubernetes", "Token", "used", SERVER, task="KubernetesManifest@1")


def test_a_second_deployment_changes_what_is_described_and_leaves_the_rest(
    manifest: Manifest, place: Namespace
) -> None:
    manifest.write(deployment())
    manifest("deploy")
    path = f"{place.apps}/deployments/web"
    place.server.ask("PATCH", path, {"metadata": {"labels": {"of": "others"}}}, "application/merge-patch+json")
    manifest.write(deployment(image="example/web:2"))
    manifest("deploy")
    assert image_of(place, "web") == "example/web:2"
    assert place.get("deployments", "web")["metadata"]["labels"] == {"of": "others"}


def test_images_and_pull_secrets_are_put_in(manifest: Manifest, place: Namespace) -> None:
    manifest.write(deployment(image="registry.example.org/team/web:1"), deployment("other", "example/other"))
    manifest(
        "deploy",
        containers="registry.example.org/team/web:42\nexample/unknown:1",
        imagePullSecrets="pull\nanother",
    )
    assert image_of(place, "web") == "registry.example.org/team/web:42"
    assert image_of(place, "other") == "example/other"
    spec = place.get("deployments", "other")["spec"]["template"]["spec"]
    assert spec["imagePullSecrets"] == [{"name": "pull"}, {"name": "another"}]


def test_the_run_is_noted_on_objects_and_pods(manifest: Manifest, place: Namespace) -> None:
    manifest.write(deployment())
    manifest("deploy")
    noted = [place.get("deployments", "web")]
    noted += [place.get("pods", name) for name in place.names("pods")]
    assert len(noted) == 3
    for one in noted:
        assert one["metadata"]["annotations"]["azure-pipelines/run"] == "20261125.7"
        assert one["metadata"]["annotations"]["azure-pipelines/project"] == "shop"


def test_a_rollout_that_does_not_come_about_is_told_with_what_the_pods_say(
    manifest: Manifest, place: Namespace
) -> None:
    manifest.write(deployment(image=f"{BROKEN}:1"))
    told = threading.Event()

    def say_why(line: str) -> None:
        if not told.is_set() and (names := place.names("pods")):
            told.set()
            waiting = {"reason": "ImagePullBackOff", "message": "cannot pull registry.invalid/broken:1"}
            state = {
                "name": "main",
                "image": "x",
                "imageID": "",
                "ready": False,
                "restartCount": 0,
                "state": {"waiting": waiting},
            }
            for name in names:
                body = {"status": {"containerStatuses": [state]}}
                place.server.ask("PATCH", f"{place.path}/pods/{name}/status", body, "application/merge-patch+json")

    outcome = manifest.run("deploy", rolloutStatusTimeout="3", tell=say_why)
    assert outcome.result is Result.FAILED
    assert "the rollout of deployment/web did not come about" in outcome.message
    assert "main: ImagePullBackOff cannot pull registry.invalid/broken:1" in outcome.message


def test_a_progress_deadline_fails_without_waiting_for_the_time_out(manifest: Manifest) -> None:
    described = deployment(image=f"{BROKEN}:1")
    described["spec"]["progressDeadlineSeconds"] = 2
    manifest.write(described)
    assert "it exceeded its progress deadline" in manifest.fails("deploy")


def test_a_cancellation_ends_the_wait(manifest: Manifest) -> None:
    manifest.write(deployment(image=f"{BROKEN}:1"))
    cancellation = Cancellation()

    def tell(line: str) -> None:
        if "0 of 2" in line or "out of 2" in line:
            cancellation.cancel()

    outcome = manifest.run("deploy", rolloutStatusTimeout="0", cancellation=cancellation, tell=tell)
    assert outcome.result is Result.CANCELED


def test_other_workloads_are_waited_for(manifest: Manifest, place: Namespace) -> None:
    template = deployment("db")["spec"]
    stateful = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "db"},
        "spec": template | {"serviceName": "db"},
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "once"},
        "spec": {"containers": [{"name": "main", "image": "example/once"}]},
    }
    manifest.write(stateful, pod)
    lines = manifest("deploy").lines
    assert "statefulset/db: rolling update complete" in lines
    assert "pod/once: the pod is running" in lines


def test_a_load_balancer_tells_its_address(manifest: Manifest, place: Namespace) -> None:
    manifest.write(service(kind="LoadBalancer"))
    given = threading.Event()

    def give_address(line: str) -> None:
        if "has no address yet" in line and not given.is_set():
            given.set()
            body = {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}}}
            place.server.ask("PATCH", f"{place.path}/services/web/status", body, "application/merge-patch+json")

    assert "service/web: its external address is 192.0.2.7" in manifest("deploy", tell=give_address).lines


def test_what_the_account_may_not_is_told(manifest: Manifest, place: Namespace) -> None:
    manifest.write({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "mine"}})
    assert 'cannot patch resource "namespaces"' in manifest.fails("deploy")


def test_an_unknown_kind_is_told(manifest: Manifest) -> None:
    manifest.write({"apiVersion": "example.org/v1", "kind": "Widget", "metadata": {"name": "w"}})
    assert "no kind 'Widget' in 'example.org/v1'" in manifest.fails("deploy")


def test_what_the_cluster_does_not_take_is_told(manifest: Manifest) -> None:
    described = deployment()
    described["spec"]["template"]["metadata"]["labels"] = {"app": "another"}
    manifest.write(described)
    assert "`selector` does not match template `labels`" in manifest.fails("deploy")


def test_the_namespace_of_an_object_goes_with_that_of_the_step(manifest: Manifest, place: Namespace) -> None:
    described = deployment()
    described["metadata"]["namespace"] = place.name
    manifest.write(described)
    manifest("deploy", namespace=place.name)
    assert "does not match the namespace 'elsewhere'" in manifest.fails("deploy", namespace="elsewhere")


def test_a_canary_stands_beside_until_it_is_promoted(manifest: Manifest, place: Namespace) -> None:
    manifest.write(deployment(replicas=4), service())
    manifest("deploy")
    manifest.write(deployment(image="example/web:2", replicas=4), service())
    manifest("deploy", strategy="canary", percentage="50")
    assert place.names("deployments") == {"web", "web-canary", "web-baseline"}
    assert [image_of(place, name) for name in ("web", "web-baseline", "web-canary")] == [
        "example/web:1",
        "example/web:1",
        "example/web:2",
    ]
    canary = place.get("deployments", "web-canary")
    assert canary["spec"]["replicas"] == 2
    assert canary["spec"]["selector"]["matchLabels"] == {"app": "web", "azure-pipelines/version": "canary"}
    manifest("promote", strategy="canary")
    until(lambda: place.names("deployments") == {"web"})
    assert image_of(place, "web") == "example/web:2"


def test_a_canary_is_rejected(manifest: Manifest, place: Namespace) -> None:
    manifest.write(deployment())
    manifest("deploy")
    manifest.write(deployment(image="example/web:2"))
    manifest("deploy", strategy="canary", percentage="50")
    manifest("reject", strategy="canary")
    until(lambda: place.names("deployments") == {"web"})
    assert image_of(place, "web") == "example/web:1"


def test_the_first_canary_has_no_baseline(manifest: Manifest, place: Namespace) -> None:
    manifest.write(deployment())
    manifest("deploy", strategy="canary", percentage="50")
    assert place.names("deployments") == {"web-canary"}


def test_a_green_deployment_takes_the_requests_until_it_is_promoted(manifest: Manifest, place: Namespace) -> None:
    manifest.write(deployment(strategy="blue-green"), service())
    manifest("deploy")
    assert place.names("deployments") == {"web"}
    manifest.write(deployment(image="example/web:2", strategy="blue-green"), service())
    manifest("deploy")
    assert place.names("deployments") == {"web", "web-green"}
    assert (image_of(place, "web"), image_of(place, "web-green")) == ("example/web:1", "example/web:2")
    assert place.get("services", "web")["spec"]["selector"] == {"app": "web", "azure-pipelines/color": "green"}
    manifest("promote")
    until(lambda: place.names("deployments") == {"web"})
    assert image_of(place, "web") == "example/web:2"
    assert place.get("services", "web")["spec"]["selector"] == {"app": "web"}


def test_a_green_deployment_that_does_not_come_about_leaves_the_requests_where_they_are(
    manifest: Manifest, place: Namespace
) -> None:
    manifest.write(deployment(strategy="blue-green"), service())
    manifest("deploy")
    manifest.write(deployment(image=f"{BROKEN}:2", strategy="blue-green"), service())
    manifest.fails("deploy", rolloutStatusTimeout="1")
    assert place.get("services", "web")["spec"]["selector"] == {"app": "web"}
    manifest("reject")
    until(lambda: place.names("deployments") == {"web"})
    assert image_of(place, "web") == "example/web:1"


def test_without_a_strategy_there_is_nothing_to_promote(manifest: Manifest) -> None:
    manifest.write(deployment())
    assert "Promote action is valid only for the canary strategy" in manifest.fails("promote")
    assert "Reject action is valid only for the canary strategy" in manifest.fails("reject")


def test_a_workload_is_scaled(manifest: Manifest, place: Namespace) -> None:
    manifest.write(deployment())
    manifest("deploy")
    manifest("scale", kind="deployment", name="web", replicas="3")
    assert place.get("deployments", "web")["status"]["availableReplicas"] == 3
    assert "not found" in manifest.fails("scale", kind="deployment", name="other", replicas="3")


@pytest.mark.parametrize(
    ("strategy", "patch"),
    [
        ("strategic", '{"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "example/web:9"}]}}}}'),
        ("merge", "spec: {template: {spec: {containers: [{name: main, image: 'example/web:9'}]}}}"),
        ("json", '[{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "example/web:9"}]'),
    ],
)
def test_a_workload_is_patched(manifest: Manifest, place: Namespace, strategy: str, patch: str) -> None:
    manifest.write(deployment())
    manifest("deploy")
    named = {"resourceToPatch": "name", "kind": "deployment", "name": "web"}
    manifest("patch", mergeStrategy=strategy, patch=patch, **named)
    assert image_of(place, "web") == "example/web:9"
    assert (
        "deployment/web patched"
        in manifest(
            "patch", mergeStrategy=strategy, patch=patch, resourceToPatch="file", resourceFileToPatch="all.yml"
        ).lines
    )


def test_objects_are_deleted(manifest: Manifest, place: Namespace) -> None:
    manifest.write(deployment(), deployment("other"), service())
    manifest("deploy")
    manifest("delete", arguments="deployment/web svc/web")
    manifest("delete", arguments="deploy -l app=none")
    manifest("delete", arguments="configmap nothing --ignore-not-found")
    until(lambda: place.names("deployments") == {"other"})
    assert place.names("services") == set()
    assert "deployments/web not found" in manifest.fails("delete", arguments="deployments web")
    assert "doesn't have a resource type 'widgets'" in manifest.fails("delete", arguments="widgets a")
    manifest("delete", arguments="-f all.yml --ignore-not-found")
    until(lambda: place.names("deployments") == set())
    assert "no name was specified" in manifest.fails("delete", arguments="deployments")
    assert "Arguments are not supplied" in manifest.fails("delete")
    assert "'--recursive' is not supported" in manifest.fails("delete", arguments="deploy --recursive")


def test_a_pull_secret_is_created_and_renewed(manifest: Manifest, place: Namespace) -> None:
    def registry(password: str) -> dict[str, Connection]:
        parameters: dict[str, str | Secret] = {
            "registry": "registry.example.org",
            "username": "me",
            "password": Secret(password),
        }
        return {
            "dockerRegistryEndpoint": Connection(
                id="r", name="registry", type="dockerregistry", scheme="UsernamePassword", parameters=parameters
            )
        }

    for password in ("first-pw-4711", "second-pw-4711"):
        outcome = manifest("createSecret", secretName="pull", connections=registry(password))
        content = json.loads(base64.b64decode(place.get("secrets", "pull")["data"][".dockerconfigjson"]))
        assert content["auths"]["registry.example.org"]["password"] == password
        assert password not in outcome.log


def test_a_generic_secret_is_created(manifest: Manifest, place: Namespace) -> None:
    manifest("createSecret", secretType="generic", secretName="s", secretArguments="--from-literal=key=value")
    assert place.get("secrets", "s")["data"] == {"key": base64.b64encode(b"value").decode()}


def test_a_kustomization_is_baked_and_deployed(manifest: Manifest, place: Namespace) -> None:
    folder = manifest.folder / "kustom"
    folder.mkdir()
    (folder / "web.yaml").write_text(yaml.safe_dump(deployment()))
    (folder / "kustomization.yaml").write_text("resources: [web.yaml]\nnamePrefix: big-\n")
    outcome = manifest(
        "bake",
        renderType="kustomize",
        kustomizationPath="kustom",
        containers="example/web:7",
        tell=Keep(manifest.folder),
    )
    assert "manifestsBundle" in outcome.outputs
    [baked] = yaml.safe_load_all((manifest.folder / "kept.yaml").read_text())
    assert baked["metadata"]["name"] == "big-web"
    assert baked["spec"]["template"]["spec"]["containers"][0]["image"] == "example/web:7"


def test_a_chart_is_baked_and_no_value_is_an_argument(manifest: Manifest) -> None:
    chart = manifest.folder / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: shop\nversion: 1.0.0\n")
    (chart / "values.yaml").write_text("replicas: 1\npassword: none\nkept: yes-it-is\n")
    (chart / "templates" / "s.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\n"
        "data: {a: '{{ .Values.replicas }}', b: '{{ .Values.auth.password }}', c: '{{ .Values.kept }}'}\n"
    )
    (manifest.folder / "more.yaml").write_text("replicas: 2\n")
    outcome = manifest(
        "bake",
        renderType="helm",
        helmChart="chart",
        releaseName="rel",
        overrideFiles="more.yaml",
        overrides="auth.password:canary:4711",
        tell=Keep(manifest.folder),
    )
    [baked] = yaml.safe_load_all((manifest.folder / "kept.yaml").read_text())
    assert baked["metadata"]["name"] == "rel"
    assert baked["data"] == {"a": "2", "b": "canary:4711", "c": "yes-it-is"}
    assert "4711" not in outcome.log


def test_a_chart_that_is_none_is_told(manifest: Manifest) -> None:
    (manifest.folder / "chart").mkdir()
    told = manifest.fails("bake", renderType="helm", helmChart="chart")
    assert "helm template failed with exit code 1" in told
    assert "Chart.yaml file is missing" in told


class Keep:
    """Copies what was baked before the job's folder goes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, line: str) -> None:
        if line.startswith("The manifests are in "):
            (self.folder / "kept.yaml").write_text(Path(line.removeprefix("The manifests are in ")).read_text())
