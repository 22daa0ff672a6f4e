from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import Giver
from tests.doubles.processes import command_lines
from tests.real.kubernetes.conftest import SERVER, Namespace

from sluice.plugin import Connection, Secret
from sluice.runtime.cancellation import Cancellation
from sluice.runtime.request import Result
from sluice.testing.task_runner import TaskOutcome, run_task
from sluice_kubernetes import prepare

pytestmark = pytest.mark.real

POD = """\
apiVersion: v1
kind: Pod
metadata: {name: NAME}
spec: {containers: [{name: main, image: example/main}]}
"""

RunTask = Callable[..., TaskOutcome]


@pytest.fixture
def kubectl(shop: Namespace, tmp_path: Path) -> RunTask:
    """Runs `Kubernetes@1` in the namespace, with the kubectl that was built."""

    def run(connection: Connection | None = None, **inputs: str) -> TaskOutcome:
        return run_task(
            "Kubernetes@1",
            inputs={"cwd": str(tmp_path), **inputs},
            connections={"kubernetesServiceEndpoint": connection or shop.connection()},
            sources=tmp_path,
            environment={"PATH": f"{shop.server.programs}:/usr/bin:/bin", "HOME": str(tmp_path)},
        )

    return run


def succeeded(outcome: TaskOutcome) -> TaskOutcome:
    assert outcome.result is Result.SUCCEEDED, outcome.log
    return outcome


def test_a_manifest_is_applied_and_what_was_done_is_an_output(
    kubectl: RunTask, shop: Namespace, tmp_path: Path, evidence: Giver
) -> None:
    (tmp_path / "pod.yaml").write_text(POD.replace("NAME", "applied"))
    outcome = succeeded(kubectl(command="apply", useConfigurationFile="true", configuration="pod.yaml"))
    assert "applied" in shop.names("pods")
    answer = outcome.outputs["KubectlOutput"]
    assert isinstance(answer, str)
    assert json.loads(answer)["metadata"]["name"] == "applied"
    evidence("kubernetes", "Token", "used", SERVER, task="Kubernetes@1")


def test_a_manifest_of_the_pipeline_is_applied(kubectl: RunTask, shop: Namespace) -> None:
    succeeded(
        kubectl(
            command="apply",
            useConfigurationFile="true",
            configurationType="inline",
            inline=POD.replace("NAME", "inline"),
        )
    )
    assert "inline" in shop.names("pods")


def test_arguments_and_namespace_are_passed_on(kubectl: RunTask, shop: Namespace) -> None:
    shop.server.ask("POST", f"{shop.path}/configmaps", {"metadata": {"name": "asked"}, "data": {"a": "b c"}})
    outcome = succeeded(
        kubectl(
            command="get", arguments='configmap asked -o "jsonpath={.data.a}"', namespace=shop.name, outputFormat="none"
        )
    )
    assert outcome.outputs["KubectlOutput"] == "b c"
    assert f"get -n {shop.name} configmap asked" in outcome.log


def test_what_the_account_may_not_is_a_failure_with_the_reason(kubectl: RunTask) -> None:
    outcome = kubectl(command="get", arguments="nodes")
    assert outcome.result is Result.FAILED
    assert "kubectl get failed with exit code 1" in outcome.message
    assert "cannot list resource" in outcome.message


def test_a_wrong_token_is_a_failure(kubectl: RunTask, shop: Namespace) -> None:
    outcome = kubectl(shop.connection("no.such.token"), command="get", arguments="pods")
    assert outcome.result is Result.FAILED
    assert "no.such.token" not in outcome.log


def test_another_kubectl_can_be_named(kubectl: RunTask, tmp_path: Path) -> None:
    other = tmp_path / "other-kubectl"
    other.write_text('#!/bin/sh\necho "other $*"; test -f "$KUBECONFIG" && stat -c "%a" "$KUBECONFIG"\n')
    other.chmod(0o755)
    outcome = succeeded(
        kubectl(command="top", arguments="pod", versionOrLocation="location", specifyLocation="other-kubectl")
    )
    assert outcome.outputs["KubectlOutput"] == "other top pod\n600"


def test_a_version_that_the_machine_does_not_have_is_told(kubectl: RunTask) -> None:
    outcome = kubectl(command="get", arguments="pods", versionSpec="1.99.0")
    assert outcome.result is Result.FAILED
    assert "kubectl 1.99.0 is not on this machine" in outcome.message
    assert "there is v1.35.4 at" in outcome.message


def test_a_secret_of_literals_files_and_variables_is_made(kubectl: RunTask, shop: Namespace, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(b"\x00\xff")
    (tmp_path / "app.env").write_text("# of the app\nMODE=quick\n")
    succeeded(
        kubectl(
            secretType="generic",
            secretName="made",
            secretArguments='"--from-literal=password=a b\\"c" --from-file key.pem --from-env-file=app.env',
        )
    )
    data = {key: base64.b64decode(value) for key, value in shop.get("secrets", "made")["data"].items()}
    assert data == {"password": b'a b"c', "key.pem": b"\x00\xff", "MODE": b"quick"}


def test_a_value_that_was_cut_at_a_blank_is_not_shown(kubectl: RunTask) -> None:
    outcome = kubectl(secretType="generic", secretName="cut", secretArguments="--from-literal=a=canary pass-4711")
    assert "one of the arguments is not supported: there are: --from-literal" in outcome.message
    assert "4711" not in outcome.log


def test_a_secret_is_replaced_only_when_that_is_asked_for(kubectl: RunTask, shop: Namespace) -> None:
    first = {"secretType": "generic", "secretName": "again", "secretArguments": "--from-literal=a=1"}
    second = first | {"secretArguments": "--from-literal=b=2 --type=example.org/other"}
    succeeded(kubectl(**first))
    outcome = kubectl(**second, forceUpdate="false")
    assert outcome.result is Result.FAILED
    assert '"again" already exists' in outcome.message
    succeeded(kubectl(**second))
    found = shop.get("secrets", "again")
    assert (found["type"], set(found["data"])) == ("example.org/other", {"b"})


def test_a_pull_secret_is_made_of_a_registry_connection(shop: Namespace, tmp_path: Path) -> None:
    registry = Connection(
        id="r",
        name="registry",
        type="dockerregistry",
        scheme="UsernamePassword",
        parameters={"registry": "registry.example.org", "username": "me", "password": Secret("pull-pw-4711")},
    )
    outcome = run_task(
        "Kubernetes@1",
        inputs={
            "secretName": "pull",
            "containerRegistryType": "Container Registry",
            "cwd": str(tmp_path),
        },
        connections={"kubernetesServiceEndpoint": shop.connection(), "dockerRegistryEndpoint": registry},
        sources=tmp_path,
    )
    succeeded(outcome)
    found = shop.get("secrets", "pull")
    assert found["type"] == "kubernetes.io/dockerconfigjson"
    content = json.loads(base64.b64decode(found["data"][".dockerconfigjson"]))
    login = content["auths"]["registry.example.org"]
    assert (login["username"], login["password"]) == ("me", "pull-pw-4711")
    assert base64.b64decode(login["auth"]) == b"me:pull-pw-4711"
    assert "pull-pw-4711" not in outcome.log


def test_a_config_map_is_made_and_kept_until_an_update_is_asked_for(
    kubectl: RunTask, shop: Namespace, tmp_path: Path
) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "a.txt").write_text("one")
    (tmp_path / "conf" / "b.bin").write_bytes(b"\xff")
    named = {"configMapName": "settings", "useConfigMapFile": "true", "configMapFile": "conf"}
    succeeded(kubectl(**named))
    found = shop.get("configmaps", "settings")
    assert (found["data"], found["binaryData"]) == ({"a.txt": "one"}, {"b.bin": "/w=="})
    (tmp_path / "conf" / "a.txt").write_text("two")
    assert "exists already, and stays as it is" in succeeded(kubectl(**named)).log
    assert shop.get("configmaps", "settings")["data"] == {"a.txt": "one"}
    succeeded(kubectl(**named, forceUpdateConfigMap="true"))
    assert shop.get("configmaps", "settings")["data"] == {"a.txt": "two"}


def test_a_log_in_leaves_a_private_kubeconfig(kubectl: RunTask, shop: Namespace, tmp_path: Path) -> None:
    outcome = run_task(
        "Kubernetes@1",
        inputs={"command": "login"},
        connections={"kubernetesServiceEndpoint": shop.connection()},
        sources=tmp_path,
        tell=lambda line: None,
    )
    succeeded(outcome)
    assert str(outcome.variables["KUBECONFIG"]).endswith("/.tools/kube/config")


def test_no_secret_is_an_argument_or_a_word_of_the_log(shop: Namespace, tmp_path: Path) -> None:
    """While a kubectl runs that waits, and while a secret is made."""
    token = shop.token()
    seen: list[bytes] = []
    waiting = tmp_path / "kubectl"
    waiting.write_text('#!/bin/sh\ncat "$KUBECONFIG"\necho\necho ready\nsleep 300\n')
    waiting.chmod(0o755)
    cancellation = Cancellation()

    def tell(line: str) -> None:
        if line == "ready":
            seen.append(command_lines())
            threading.Thread(target=cancellation.cancel).start()

    outcome = run_task(
        "Kubernetes@1",
        inputs={"command": "get", "arguments": "pods", "cwd": str(tmp_path)},
        connections={"kubernetesServiceEndpoint": shop.connection(token)},
        sources=tmp_path,
        environment={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        cancellation=cancellation,
        tell=tell,
    )
    assert outcome.result is Result.CANCELED
    assert seen
    for form in (token, base64.b64encode(token.encode()).decode()):
        assert form.encode() not in seen[0]
        assert form not in outcome.log
    assert shop.server.url in outcome.log  # the kubeconfig was printed: only its secret is masked


def test_the_kubeconfig_of_a_command_is_private(kubectl: RunTask, tmp_path: Path) -> None:
    spy = tmp_path / "spy"
    spy.write_text('#!/bin/sh\nstat -c "%a" "$KUBECONFIG" "$(dirname "$KUBECONFIG")"; echo "$KUBECONFIG" > where\n')
    spy.chmod(0o755)
    outcome = succeeded(
        kubectl(command="get", versionOrLocation="location", specifyLocation="spy", outputFormat="none")
    )
    assert str(outcome.outputs["KubectlOutput"]).split() == ["600", "700"]
    assert not Path((tmp_path / "where").read_text().strip()).exists()


def test_a_kubeconfig_connection_is_used(shop: Namespace, tmp_path: Path, evidence: Giver) -> None:
    text = json.dumps(shop.server.kubeconfig({"token": shop.token()}))
    parameters = {"kubeconfig": Secret(text)}
    connection = Connection(id="k", name="k", type="kubernetes", scheme="Kubernetes", parameters=parameters)
    outcome = run_task(
        "Kubernetes@1",
        inputs={
            "cwd": str(tmp_path),
            "command": "get",
            "arguments": "serviceaccount deployer -o name",
            "namespace": shop.name,
            "outputFormat": "none",
        },
        connections={"kubernetesServiceEndpoint": prepare(connection)},
        sources=tmp_path,
        environment={"PATH": f"{shop.server.programs}:/usr/bin:/bin", "HOME": str(tmp_path)},
    )
    assert succeeded(outcome).outputs["KubectlOutput"] == "serviceaccount/deployer"
    evidence("kubernetes", "Kubernetes", "used", SERVER, task="Kubernetes@1")
