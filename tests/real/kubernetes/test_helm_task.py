from __future__ import annotations

import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.conftest import Giver
from tests.doubles.processes import command_lines
from tests.real.kubernetes.conftest import SERVER, ApiServer, Namespace

from sluice.runtime.cancellation import Cancellation
from sluice.runtime.request import Result
from sluice.testing.task_runner import TaskOutcome, run_task
from sluice_kubernetes._helm_values import split_pairs, values_of

pytestmark = pytest.mark.real

TEMPLATE = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data:
  who: {{ .Values.who | quote }}
  password: {{ .Values.auth.password | quote }}
  number: {{ .Values.number | toString | quote }}
"""


@pytest.fixture(scope="module")
def place(api_server: ApiServer) -> Namespace:
    return api_server.namespace("charts")


@pytest.fixture
def helm(place: Namespace, tmp_path: Path) -> Helm:
    chart = tmp_path / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: shop\nversion: 1.0.0\n")
    (chart / "values.yaml").write_text("who: nobody\nnumber: 0\nauth: {password: none}\n")
    (chart / "templates" / "config.yaml").write_text(TEMPLATE)
    return Helm(place, tmp_path)


class Helm:
    """Runs `HelmDeploy@1` in a folder with a chart."""

    def __init__(self, place: Namespace, folder: Path) -> None:
        self.place = place
        self.folder = folder

    def run(self, command: str, *, path: str = "", **more: Any) -> TaskOutcome:
        inputs = {key: value for key, value in more.items() if isinstance(value, str)}
        options = {key: value for key, value in more.items() if not isinstance(value, str)}
        return run_task(
            "HelmDeploy@1",
            inputs={
                "connectionType": "Kubernetes Service Connection",
                "command": command,
                "chartType": "FilePath",
                "chartPath": "chart",
                "destination": str(self.folder / "packages"),
                **inputs,
            },
            connections={"kubernetesServiceEndpoint": self.place.connection()},
            sources=self.folder,
            environment={"PATH": path or f"{self.place.server.programs}:/usr/bin:/bin", "HOME": str(self.folder)},
            variables={"Build.BuildNumber": "20261125.7"},
            **options,
        )

    def __call__(self, command: str, **more: Any) -> TaskOutcome:
        outcome = self.run(command, **more)
        assert outcome.result is Result.SUCCEEDED, outcome.log
        return outcome

    def fails(self, command: str, **more: Any) -> str:
        outcome = self.run(command, **more)
        assert outcome.result is Result.FAILED, outcome.log
        return outcome.message

    def data(self, release: str) -> Any:
        return self.place.get("configmaps", release)["data"]


def test_a_chart_is_installed_upgraded_listed_rolled_back_and_removed(helm: Helm, evidence: Giver) -> None:
    outcome = helm("install", releaseName="one", overrideValues="who=somebody,number=1")
    assert outcome.outputs["helmExitCode"] == "0"
    assert "NAME: one" in str(outcome.outputs["helmOutput"])
    assert helm.data("one") == {"who": "somebody", "password": "none", "number": "1"}
    helm("upgrade", releaseName="one", overrideValues="who=another\nnumber=2")
    assert helm.data("one")["who"] == "another"
    assert "one" in helm("ls", arguments="--short").lines
    helm("rollback", releaseName="one", arguments="1")
    assert helm.data("one")["who"] == "somebody"
    helm("uninstall", releaseName="one")
    assert "one" not in helm.place.names("configmaps")
    evidence("kubernetes", "Token", "used", SERVER, task="HelmDeploy@1")


def test_an_upgrade_installs_what_is_not_there_with_the_values_of_a_file(helm: Helm) -> None:
    (helm.folder / "more.yaml").write_text("who: of-a-file\nnumber: 3\n")
    helm("upgrade", releaseName="two", valueFile="more.yaml", overrideValues="number=4")
    assert helm.data("two") == {"who": "of-a-file", "password": "none", "number": "4"}


def test_a_chart_is_packaged_with_a_version(helm: Helm) -> None:
    helm("package", connectionType="None", version="2.1.0")
    assert (helm.folder / "packages" / "shop-2.1.0.tgz").is_file()
    helm("install", releaseName="packed", chartPath="packages/*.tgz")
    assert helm.data("packed")["who"] == "nobody"


def test_a_chart_is_created(helm: Helm) -> None:
    helm("create", chartName="fresh")
    assert (helm.folder / "fresh" / "Chart.yaml").is_file()


def test_a_failure_is_told_with_its_reason(helm: Helm) -> None:
    told = helm.fails("upgrade", releaseName="three", install="false")
    assert "helm upgrade failed with exit code 1" in told
    assert 'Error: UPGRADE FAILED: "three" has no deployed releases' in told


def test_a_word_on_standard_error_is_a_failure_where_that_is_wanted(helm: Helm) -> None:
    (helm.folder / "bin").mkdir()
    (helm.folder / "bin" / "helm").write_text("#!/bin/sh\necho fine; echo careful >&2\n")
    (helm.folder / "bin" / "helm").chmod(0o755)
    path = f"{helm.folder}/bin:/usr/bin:/bin"
    assert helm("ls", path=path).outputs["helmOutput"] == "fine\ncareful"
    outcome = helm.run("ls", path=path, failOnStderr="true")
    assert outcome.result is Result.FAILED
    assert outcome.outputs["helmOutput"] == "fine"
    assert "'failOnStderr' is set: careful" in outcome.message


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ({"command": "init"}, "Helm 2 and its Tiller are not supported"),
        ({"command": "ls", "enableTls": "true"}, "Helm 2 and its Tiller are not supported"),
        ({"command": "uninstall"}, "releaseName"),
        ({"command": "install", "chartPath": "none/*.tgz"}, "No matching files were found"),
    ],
)
def test_what_cannot_be_done_is_told(helm: Helm, inputs: dict[str, str], told: str) -> None:
    assert told in helm.fails(**inputs)


def test_no_value_and_no_token_is_an_argument_of_any_process(helm: Helm) -> None:
    seen: list[bytes] = []
    (helm.folder / "bin").mkdir()
    spy = '#!/bin/sh\necho "arguments: $*"; for one in "$@"; do case "$one" in *values.yaml) cat "$one";; esac; done\n'
    (helm.folder / "bin" / "helm").write_text(f'{spy}stat -c %a "$KUBECONFIG"; echo ready; sleep 300\n')
    (helm.folder / "bin" / "helm").chmod(0o755)
    cancellation = Cancellation()

    def tell(line: str) -> None:
        if line == "ready":
            seen.append(command_lines())
            threading.Thread(target=cancellation.cancel).start()

    outcome = helm.run(
        "upgrade",
        path=f"{helm.folder}/bin:/usr/bin:/bin",
        releaseName="four",
        overrideValues="auth.password=canary-one-4711",
        arguments="--atomic --set auth.user=canary-two-4711 --set-string=number=0815",
        cancellation=cancellation,
        tell=tell,
    )
    assert outcome.result is Result.CANCELED
    assert b"canary" not in seen[0]
    assert "arguments: upgrade" in outcome.log
    assert "--atomic" in outcome.log
    assert '"password": "canary-one-4711"' in outcome.log  # the program itself has it
    assert '"number": "0815"' in outcome.log
    assert "}600\n" in outcome.log


SPELLINGS = [
    "a=1,b=-7,c=012,d=1.5,e=true,f=null,g=,h=x=y",
    "a.b.c=x,a.b.d=y,a.e={1,two,true}",
    r"a=x\,y,b\.c=1,d={a\,b,c}",
    "a[0].b=1,a[1].b=2,c[2]=x",
    "a={},b={ x , y }",
    "a=1,a=2",
    "a= x ,b=y z",
]


@pytest.mark.parametrize("text", SPELLINGS)
def test_values_are_what_helm_itself_makes_of_them(helm: Helm, text: str) -> None:
    (helm.folder / "chart" / "values.yaml").write_text("{}\n")
    (helm.folder / "chart" / "templates" / "config.yaml").write_text("{{ .Values | toYaml }}\n")
    program = str(helm.place.server.programs / "helm")
    done = subprocess.run(
        [program, "template", "chart", "--set", text], cwd=helm.folder, capture_output=True, text=True, check=True
    )
    theirs = yaml.safe_load(done.stdout)
    ours = values_of(split_pairs(text, "task"), "task")
    assert ours == theirs


def test_the_version_of_the_machine_is_offered(helm: Helm) -> None:
    for task, name, version in (
        ("KubectlInstaller@0", "kubectlVersion", "1.35"),
        ("HelmInstaller@1", "helmVersionToInstall", "3.20.2"),
    ):
        outcome = _installed(helm, task, {name: version})
        assert outcome.result is Result.SUCCEEDED, outcome.log
        assert "PATH" not in outcome.variables
        wrong = _installed(helm, task, {name: "1.2.3"})
        assert wrong.result is Result.FAILED
        assert "1.2.3 is not on this machine" in wrong.message
        assert _installed(helm, task, {name: "latest"}).result is Result.SUCCEEDED


def test_a_version_in_the_tools_folder_of_an_agent_is_put_first(helm: Helm) -> None:
    place = helm.folder / "tools" / "kubectl" / "1.30.2" / "x64"
    place.mkdir(parents=True)
    (place / "kubectl").write_text("#!/bin/sh\necho 'clientVersion: {gitVersion: v1.30.2}'\n")
    (place / "kubectl").chmod(0o755)
    outcome = _installed(helm, "KubectlInstaller@0", {"kubectlVersion": "1.30.2"})
    assert outcome.result is Result.SUCCEEDED, outcome.log
    assert str(outcome.variables["PATH"]).startswith(f"{place}:")
    assert f"kubectl v1.30.2 at {place}/kubectl" in outcome.lines


def _installed(helm: Helm, task: str, inputs: dict[str, str]) -> TaskOutcome:
    return run_task(
        task,
        inputs=inputs,
        sources=helm.folder,
        environment={"PATH": f"{helm.place.server.programs}:/usr/bin:/bin"},
        variables={"Agent.ToolsDirectory": str(helm.folder / "tools")},
    )
