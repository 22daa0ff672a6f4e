"""SCVMM connections and the task SCVMM@1 against a WinRM that looks at everything that it is told."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import Giver
from tests.doubles.certificates import Authority
from tests.doubles.winrm import Machine, Server, served

from sluice.plugin import Connection, VerificationError
from sluice.runtime.cancellation import Cancellation
from sluice.runtime.request import Result
from sluice.testing.connections import make_connection
from sluice.testing.task_runner import TaskOutcome, run_task
from sluice_virtualization import verify_scvmm

PASSWORD = "vmm-pass-word-0001"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    accounts = tmp_path / "accounts"
    accounts.write_text(f"CORP:deployer:{PASSWORD}\n")
    monkeypatch.setenv("NTLM_USER_FILE", str(accounts))
    authority = Authority(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.path))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("vmm", tmp_path))
    made = Server()
    with served(made, context):
        yield made
    assert made.complaints == []
    assert made.shells == {}


def connection(server: Server, *, url: str = "127.0.0.1:8100", password: str = PASSWORD, **more: str) -> Connection:
    values = {"username": "CORP\\deployer", "password": password, "winrmPort": server.port, **more}
    return make_connection("scvmm", "vmm", url=url, values=values)


def act(server: Server, action: str, *, cancellation: Cancellation | None = None, **inputs: str) -> TaskOutcome:
    given = {"action": action, **inputs}
    return run_task(
        "SCVMM@1",
        inputs=given,
        connections={"connectedServiceName": connection(server)},
        cancellation=cancellation,
    )


def test_the_right_account_is_told_with_the_version(server: Server, evidence: Giver) -> None:
    assert verify_scvmm(connection(server)) == "VMM 10.22.1287.0 at 127.0.0.1:8100 knows the account"
    (script,) = server.scripts
    assert PASSWORD not in script
    evidence("scvmm", "UsernamePassword", "verified right", "WinRM (double)")


def test_a_wrong_password_is_told_and_not_shown(server: Server, evidence: Giver) -> None:
    with pytest.raises(VerificationError, match="WinRM does not accept the user name and password") as raised:
        verify_scvmm(connection(server, password="wrong-secret-0666"))
    assert "wrong-secret-0666" not in str(raised.value)
    assert server.scripts == []
    evidence("scvmm", "UsernamePassword", "verified wrong", "WinRM (double)")


def test_an_account_that_may_not_use_winrm_is_told(server: Server) -> None:
    server.allowed = False
    with pytest.raises(VerificationError, match="the account may not use WinRM on the server") as raised:
        verify_scvmm(connection(server))
    assert "Remote Management Users" in raised.value.do


def test_an_account_without_a_role_in_vmm_is_told(server: Server) -> None:
    server.role = False
    with pytest.raises(VerificationError, match="VMM knows the account, but it has no user role"):
        verify_scvmm(connection(server))


def test_a_server_without_vmm_is_told(server: Server) -> None:
    server.console = False
    with pytest.raises(VerificationError, match="has no VMM console"):
        verify_scvmm(connection(server))


def test_a_certificate_that_nobody_vouches_for_is_told(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    with pytest.raises(VerificationError, match=r"the certificate of https://127.0.0.1:\d+ is not trusted"):
        verify_scvmm(connection(server))
    assert server.requests == 0


def test_nobody_at_the_address_and_no_tls_there_are_told(server: Server) -> None:
    with pytest.raises(VerificationError, match=r"https://127.0.0.1:9 refused the connection"):
        verify_scvmm(connection(server, winrmPort="9"))
    with pytest.raises(VerificationError, match=r"the connection to http://127.0.0.1:\d+ broke"):
        verify_scvmm(connection(server, winrmProtocol="http"))


def test_a_name_that_nobody_has_is_told(server: Server) -> None:
    with pytest.raises(VerificationError, match=r"the host name of https://vmm.invalid:\d+ was not resolved"):
        verify_scvmm(connection(server, url="vmm.invalid:8100"))


def test_a_redirect_is_not_followed(server: Server) -> None:
    server.redirect = f"{server.url}/wsman"
    with pytest.raises(VerificationError, match="redirects to another address, where credentials are not sent"):
        verify_scvmm(connection(server))
    assert server.requests == 1


def test_an_address_of_a_metadata_service_is_not_asked(server: Server) -> None:
    with pytest.raises(VerificationError, match="is a link-local or special address"):
        verify_scvmm(connection(server, url="169.254.169.254:8100"))


def test_checkpoints_are_made_put_back_and_deleted(server: Server, evidence: Giver) -> None:
    server.machines |= {"Dev": Machine(), "Test": Machine()}
    name = "it's \u2018here\u2019; $(exit 9)"
    made = act(server, "Create Checkpoint", description="ü of run 12", vmNames="Dev, Test", checkpointName=name)
    assert made.result == Result.SUCCEEDED, made.log
    assert "Dev: Create Checkpoint succeeded" in made.lines
    assert server.machines["Test"].checkpoints == {name: "ü of run 12"}
    assert name not in server.scripts[0]  # a value, never code
    assert act(server, "Restore Checkpoint", vmNames="Dev, Test", checkpointName=name).result == Result.SUCCEEDED
    assert server.machines["Dev"].restored == name
    assert act(server, "Delete Checkpoint", vmNames="Dev, Test", checkpointName=name).result == Result.SUCCEEDED
    again = act(server, "Delete Checkpoint", vmNames="Dev, Test", checkpointName=name)
    assert again.result == Result.FAILED
    assert "'Dev' has 0 checkpoints called" in again.message
    assert PASSWORD not in made.log
    evidence("scvmm", "UsernamePassword", "used", "WinRM (double)", task="SCVMM@1")


def test_machines_are_stopped_and_started_where_they_are_looked_for(server: Server) -> None:
    server.machines["Dev"] = Machine(cloud="blue", host="hv1")
    assert act(server, "Stop Virtual Machine", vmNames="Dev").result == Result.SUCCEEDED
    assert server.machines["Dev"].status == "PowerOff"
    started = act(server, "start virtual machine", vmNames="Dev", selectVMsFrom="Cloud", cloudName="blue")
    assert started.result == Result.SUCCEEDED, started.log
    assert server.machines["Dev"].status == "Running"
    elsewhere = act(server, "Stop Virtual Machine", vmNames="Dev", selectVMsFrom="Host", hostName="hv2")
    assert "0 virtual machines are called 'Dev' there" in elsewhere.message
    assert act(server, "Delete Virtual Machine", vmNames="Dev").result == Result.SUCCEEDED
    assert server.machines == {}


def test_a_script_runs_there_and_fails_as_it_ends(server: Server) -> None:
    done = act(server, "Run PowerShell Script for SCVMM", scriptType="Inline Script", inlineScript="Get-SCCloud",
               scriptArguments="-Name x")  # fmt: skip
    assert done.result == Result.SUCCEEDED, done.log
    assert "ran Get-SCCloud with -Name x" in done.lines
    failed = act(server, "Run PowerShell Script for SCVMM", scriptType="Inline Script", inlineScript="exit 3")
    assert "the script failed with exit code 3" in failed.message
    missing = act(server, "Run PowerShell Script for SCVMM", scriptPath="nowhere.ps1")
    assert "Not found scriptPath" in missing.message


def test_a_canceled_step_ends_its_command_there(server: Server) -> None:
    cancellation = Cancellation()
    server.silent = True
    server.machines["Dev"] = Machine()
    real = server._receive

    def receive(*given: object) -> bytes:
        cancellation.cancel()
        return real(*given)  # type: ignore[arg-type]

    server._receive = receive  # type: ignore[method-assign,assignment]
    outcome = act(server, "Stop Virtual Machine", cancellation=cancellation, vmNames="Dev")
    assert outcome.result == Result.CANCELED
    assert [command.signaled for command in server.commands.values()] == [True]


def test_an_unknown_action_is_told_with_those_there_are(server: Server) -> None:
    assert "it is one of 'Create Checkpoint'" in act(server, "Explode", vmNames="Dev").message
