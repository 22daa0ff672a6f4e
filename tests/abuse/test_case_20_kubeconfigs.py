"""Case 20: a kubeconfig runs a program, reads files of the machine, or leads elsewhere; and 11 and 25 for what is left of it."""

from __future__ import annotations

import base64
import contextlib
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.doubles.processes import command_lines

if TYPE_CHECKING:
    from tests.abuse.conftest import Sluice

TOKEN = "canary-kube-token-4711"
CANARY = "canary-of-another-file-0815"
PIPELINE = """\
steps:
- checkout: none
- task: Kubernetes@1
  name: Get
  inputs: {kubernetesServiceEndpoint: cluster, command: get, arguments: pods, outputFormat: none}
"""
KUBECTL = """#!/bin/sh
touch "{folder}/kubectl-was-run"
cat "$KUBECONFIG" > "{folder}/seen"; stat -c %a "$KUBECONFIG" > "{folder}/mode"
echo MARK; exec sleep "${{PAUSE:-0}}"
"""
PROGRAM = "#!/bin/sh\ntouch {folder}/program-was-run\n"


@pytest.fixture
def team(sluice: Sluice) -> Sluice:
    """A pipeline with a kubectl that notes what it was given."""
    programs = sluice.folder / "bin"
    programs.mkdir()
    for name, text in (("kubectl", KUBECTL), ("log-in", PROGRAM)):
        (programs / name).write_text(text.format(folder=sluice.folder))
        (programs / name).chmod(0o755)
    sluice.environment["PATH"] = f"{programs}:/usr/bin:/bin"
    (sluice.folder / "azure-pipelines.yml").write_text(PIPELINE)
    (sluice.folder / "other-file").write_text(CANARY)
    return sluice


def kubeconfig(user: dict[str, Any], cluster: dict[str, Any] | None = None) -> str:
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1", **(cluster or {})}}],
            "users": [{"name": "u", "user": user}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        }
    )


def store(sluice: Sluice, text: str, *more: str) -> None:
    file = sluice.folder / "config"
    file.write_text(text)
    chosen = ("--type", "kubernetes", "--scheme", "Kubernetes", "--secret", "kubeconfig=@config")
    sluice("connection", "create", "cluster", *chosen, *more)
    file.unlink()


ATTACKS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "exec": ({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "PROGRAM"}}, {}),
    "exec by name": ({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "log-in"}}, {}),
    "auth-provider": ({"auth-provider": {"name": "gcp", "config": {"cmd-path": "PROGRAM"}}}, {}),
    "tokenFile": ({"tokenFile": "FILE"}, {}),
    "client-key": ({"client-certificate": "FILE", "client-key": "FILE"}, {}),
    "certificate-authority": ({"token": TOKEN}, {"certificate-authority": "FILE"}),
    "proxy-url": ({"token": TOKEN}, {"proxy-url": "http://127.0.0.1:1"}),
    "skipped verification": ({"token": TOKEN}, {"insecure-skip-tls-verify": True}),
    "impersonation": ({"token": TOKEN, "as": "system:admin", "as-groups": ["system:masters"]}, {}),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_refused_wherever_the_connection_is_used(team: Sluice, attack: str) -> None:
    text = kubeconfig(*ATTACKS[attack])
    text = text.replace("PROGRAM", str(team.folder / "bin" / "log-in")).replace("FILE", str(team.folder / "other-file"))
    store(team, text)
    assert "cluster: " in team("connection", "verify", "cluster", status=1)
    team("run", "--non-interactive", "--permit", "cluster", status=1)
    assert not (team.folder / "program-was-run").exists()
    assert not (team.folder / "kubectl-was-run").exists()
    assert CANARY not in team.printed
    assert TOKEN not in team.printed


def test_a_listed_program_is_run_by_nobody_else_s_word(team: Sluice) -> None:
    """A pipeline and a connection cannot add to the list of the machine's owner."""
    program = str(team.folder / "bin" / "log-in")
    store(team, kubeconfig({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": program}}))
    (team.folder / "azure-pipelines.yml").write_text(
        f"variables: {{SLUICE_KUBERNETES_EXEC: {program}}}\nsteps:\n"
        f"- script: 'echo \"##vso[task.setvariable variable=SLUICE_KUBERNETES_EXEC]{program}\"'\n"
        + PIPELINE.removeprefix("steps:\n")
        + f"  env: {{SLUICE_KUBERNETES_EXEC: {program}}}\n"
    )
    team("run", "--non-interactive", "--permit", "cluster", status=1)
    assert not (team.folder / "program-was-run").exists()


def test_skipped_verification_is_a_value_of_the_connection_that_everybody_sees(team: Sluice) -> None:
    store(
        team,
        kubeconfig({"token": TOKEN}, {"insecure-skip-tls-verify": True}),
        *("--set", "acceptUntrustedCerts=true"),
    )
    assert "acceptUntrustedCerts  true" in team("connection", "show", "cluster")
    team("run", "--non-interactive", "--permit", "cluster")
    assert '"insecure-skip-tls-verify": true' in (team.folder / "seen").read_text()


def test_what_tools_get_is_private_and_shows_in_no_command_line(team: Sluice) -> None:
    store(team, kubeconfig({"token": TOKEN}))
    with paused(team) as lines:
        assert TOKEN.encode() not in lines
        assert base64.b64encode(TOKEN.encode()) not in lines
    assert TOKEN in (team.folder / "seen").read_text()
    assert (team.folder / "mode").read_text() == "600\n"


def test_nothing_is_left_of_a_kubeconfig_when_the_next_job_has_begun(team: Sluice) -> None:
    store(team, kubeconfig({"token": TOKEN}))
    with paused(team):
        (team.folder / "seen").unlink()
        holding = [path for path in team.home.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
        assert [path.name for path in holding] == ["config"]
        assert stat.S_IMODE(holding[0].parent.stat().st_mode) == 0o700
    (team.folder / "next.yml").write_text("steps:\n- checkout: none\n- script: echo next\n")
    team("run", "next.yml", "--non-interactive")
    left = [path for path in team.folder.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    assert left == []


@contextlib.contextmanager
def paused(sluice: Sluice) -> Iterator[bytes]:
    """A run that is killed (SIGKILL: nobody tidies up) while its kubectl runs; gives all command lines of that moment."""
    with subprocess.Popen(
        [sys.executable, "-m", "sluice", "run", "--non-interactive", "--permit", "cluster"],
        env={**sluice.environment, "PAUSE": "300"},
        cwd=sluice.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as run:
        assert run.stdout is not None
        assert "MARK\n" in run.stdout  # reads up to there
        try:
            yield command_lines()
        finally:
            run.kill()


def test_the_programs_of_this_test_can_be_run(team: Sluice) -> None:
    subprocess.run([team.folder / "bin" / "log-in"], check=True)
    assert (team.folder / "program-was-run").exists()
    assert Path(team.folder / "bin" / "kubectl").exists()


def test_whoever_permits_a_skipped_verification_is_told(team: Sluice) -> None:
    store(team, kubeconfig({"token": TOKEN}), "--set", "acceptUntrustedCerts=true")
    caution = "nobody checks the server's certificate (acceptUntrustedCerts)"
    team("run", "--non-interactive", status=4)
    assert f"Permission needed; {caution}\n    sluice permit 1 --connection cluster\n" in team.printed
    assert f"): {caution}\nTo permit it: sluice permit 1\n" in team("runs", "show", "1")
    [waits] = team.json("runs", "show", "1")["waitingFor"]
    assert waits["caution"] == caution
    status, shown = team.on_a_terminal(["run"], [("[p]ermit", "v"), ("[p]ermit", "p"), ("[y/N]", "y")])
    assert status == 0, shown
    assert caution in shown
    assert f"Mind: {caution}." in shown


def test_whoever_approves_a_use_of_a_skipped_verification_is_told(team: Sluice) -> None:
    store(team, kubeconfig({"token": TOKEN}), "--set", "acceptUntrustedCerts=true")
    team("check", "add", "approval", "--connection", "cluster", "--approver", "Project Administrators")
    team("run", "--non-interactive", "--permit", "cluster", status=4)
    assert "mind: nobody checks the server's certificate (acceptUntrustedCerts)" in team("runs", "show", "1")
