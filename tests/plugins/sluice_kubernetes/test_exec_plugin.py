from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.plugins.sluice_kubernetes.conftest import kubeconfig

from sluice.plugin import Connection, Secret
from sluice_kubernetes._connection import access_of
from sluice_kubernetes._exec_plugin import SETTING
from sluice_kubernetes._kubeconfig import KubeconfigError

VERSION = "client.authentication.k8s.io/v1"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "log-in"
    path.write_text(
        "#!/bin/sh\n"
        f'touch {tmp_path}/was-run\n[ "$1" = fail ] && {{ echo "secret-4711" >&2; exit 3; }}\n'
        '[ "$1" = babble ] && echo nothing && exit\n'
        'printf \'{"kind": "ExecCredential", "status": {"token": "fresh-%s-%s"}}\' "$AWS_PROFILE" "$1"\n'
    )
    path.chmod(0o755)
    return path


def connection(command: object, *arguments: str, **more: Any) -> Connection:
    plugin = {"apiVersion": VERSION, "command": str(command), "args": list(arguments), **more}
    text = json.dumps(kubeconfig({"exec": plugin}))
    parameters = {"kubeconfig": Secret(text)}
    return Connection(id="1", name="cluster", type="kubernetes", scheme="Kubernetes", parameters=parameters)


def test_a_program_is_refused_and_not_run(program: Path, tmp_path: Path) -> None:
    with pytest.raises(KubeconfigError, match="which is refused") as refusal:
        access_of(connection(program))
    assert SETTING in refusal.value.do
    assert not (tmp_path / "was-run").exists()


def test_a_listed_program_is_asked_for_a_token(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SETTING, f"/nowhere{os.pathsep}{program}")
    given = connection(program, "now", env=[{"name": "AWS_PROFILE", "value": "team"}])
    assert access_of(given).token == Secret("fresh-team-now")


def test_a_program_sees_no_setting_of_sluice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spy = tmp_path / "spy"
    spy.write_text(f'#!/bin/sh\nenv > {tmp_path}/environment\nprintf \'{{"status": {{"token": "a-token"}}}}\'\n')
    spy.chmod(0o755)
    monkeypatch.setenv(SETTING, str(spy))
    monkeypatch.setenv("SLUICE_MASTER_KEY", "canary-4711")
    assert access_of(connection(spy)).token == Secret("a-token")
    seen = (tmp_path / "environment").read_text()
    assert "KUBERNETES_EXEC_INFO=" in seen
    assert "SLUICE_" not in seen


@pytest.mark.parametrize("spelt", ["log-in", "../log-in", "{folder}/./log-in", "{folder}//log-in", "/bin/sh"])
def test_only_the_listed_spelling_of_a_path_counts(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spelt: str
) -> None:
    monkeypatch.setenv(SETTING, f"{program}{os.pathsep}log-in")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KubeconfigError, match="which is refused"):
        access_of(connection(spelt.format(folder=tmp_path)))
    assert not (tmp_path / "was-run").exists()


@pytest.mark.parametrize("name", ["LD_PRELOAD", "PATH", "AWS_CONFIG_FILE", "PYTHONPATH", "aws_profile"])
def test_variables_that_could_load_something_are_refused(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(SETTING, str(program))
    with pytest.raises(KubeconfigError, match=f"variable '{name}'"):
        access_of(connection(program, env=[{"name": name, "value": "x"}]))
    assert not (tmp_path / "was-run").exists()


@pytest.mark.parametrize(
    ("argument", "told"), [("fail", "ended with exit code 3"), ("babble", "answered no ExecCredential")]
)
def test_a_program_that_gives_nothing_is_told_without_what_it_said(
    program: Path, monkeypatch: pytest.MonkeyPatch, argument: str, told: str
) -> None:
    monkeypatch.setenv(SETTING, str(program))
    with pytest.raises(KubeconfigError, match=told) as refusal:
        access_of(connection(program, argument))
    assert "secret-4711" not in str(refusal.value)


def test_a_program_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SETTING, str(tmp_path / "gone"))
    with pytest.raises(KubeconfigError, match="cannot be run"):
        access_of(connection(tmp_path / "gone"))


def test_an_unknown_version_of_the_protocol_is_refused(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SETTING, str(program))
    with pytest.raises(KubeconfigError, match="apiVersion"):
        access_of(connection(program, apiVersion="client.authentication.k8s.io/v1alpha1"))
