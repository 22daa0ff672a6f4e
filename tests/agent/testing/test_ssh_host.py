from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest

from sluice.testing.ssh_host import SshHost

PASSWORD = "pw-62ba9f"


@pytest.fixture
def host() -> Iterator[SshHost]:
    with SshHost(password=PASSWORD) as running:
        yield running


@pytest.fixture
def client(host: SshHost) -> Iterator[paramiko.SSHClient]:
    with paramiko.SSHClient() as client:
        key = paramiko.PKey.from_type_string(*_key(host))
        client.get_host_keys().add(f"[127.0.0.1]:{host.port}", key.get_name(), key)
        client.connect("127.0.0.1", host.port, host.user, PASSWORD, allow_agent=False, look_for_keys=False)
        yield client


def _key(host: SshHost) -> tuple[str, bytes]:
    import base64

    kind, text = host.host_key.split()
    return kind, base64.b64decode(text)


def run(client: paramiko.SSHClient, command: str, given: str = "") -> tuple[int, str, str]:
    stdin, stdout, stderr = client.exec_command(command)
    stdin.write(given)
    stdin.channel.shutdown_write()
    answer = stdout.read().decode(), stderr.read().decode()
    status = stdout.channel.recv_exit_status()
    for stream in (stdin, stdout, stderr):
        stream.close()
    return status, *answer


def test_commands_run_in_the_folder_with_all_streams(client: paramiko.SSHClient, host: SshHost) -> None:
    assert run(client, "cat; pwd; echo err >&2; exit 3", "in\n") == (3, f"in\n{host.folder}\n", "err\n")


def test_a_command_does_not_get_the_environment_of_the_host_process(client: paramiko.SSHClient) -> None:
    names = {line.partition("=")[0] for line in run(client, "env")[1].splitlines()}
    assert names <= {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "PWD", "OLDPWD", "SHLVL", "_"}


def test_files_reach_no_further_than_the_folder(client: paramiko.SSHClient, host: SshHost) -> None:
    with client.open_sftp() as sftp:
        sftp.putfo(io.BytesIO(b"data"), "file")
        assert (host.folder / "file").read_bytes() == b"data"
        (host.folder / "link").symlink_to("/etc")
        for path in ("../x", "/etc/passwd", "link/passwd"):
            with pytest.raises(PermissionError):
                sftp.open(path)
        with pytest.raises(PermissionError):
            sftp.remove("link/passwd")


def test_a_wrong_password_and_a_wrong_user_are_refused(host: SshHost) -> None:
    for user, password in (("deploy", "wrong"), ("root", PASSWORD)):
        transport = paramiko.Transport(("127.0.0.1", host.port))
        try:
            transport.start_client(timeout=10)
            with pytest.raises(paramiko.AuthenticationException):
                transport.auth_password(user, password)
        finally:
            transport.close()


def test_the_password_is_no_argument_of_the_host(host: SshHost) -> None:
    assert PASSWORD not in Path(f"/proc/{host.pid}/cmdline").read_text()
    assert PASSWORD not in Path(f"/proc/{host.pid}/environ").read_text()
    assert PASSWORD not in repr(host)


def test_stopping_ends_commands_and_removes_the_folder(host: SshHost, client: paramiko.SSHClient) -> None:
    streams = client.exec_command("sleep 1000 & echo $!; wait")
    pid = int(streams[1].readline())
    host.stop()
    for stream in streams:
        stream.close()
    status = Path(f"/proc/{pid}/stat")
    assert not status.exists() or status.read_text().rpartition(")")[2].split()[0] in "ZX"
    assert not host.folder.exists()
    host.stop()


def test_it_listens_on_loopback_only(host: SshHost) -> None:
    wanted = f":{host.port:04X}"
    listening = [
        line.split()[1]
        for table in ("/proc/net/tcp", "/proc/net/tcp6")
        if Path(table).exists()
        for line in Path(table).read_text().splitlines()[1:]
        if line.split()[3] == "0A" and line.split()[1].endswith(wanted)
    ]
    assert listening == [f"0100007F{wanted}"]


def test_it_runs_by_itself_until_its_input_closes(tmp_path: Path) -> None:
    given = json.dumps({"user": "me", "folder": str(tmp_path), "password": PASSWORD}) + "\n"
    ended = subprocess.run(
        [sys.executable, "-m", "sluice.testing.ssh_host"],
        input=given,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    told = json.loads(ended.stdout)
    assert told["user"] == "me"
    assert told["host_key"].startswith("ssh-ed25519 ")
    assert 0 < told["port"] < 65536
    assert ended.stderr == ""


@pytest.mark.parametrize("given", ["", "{}\n", "nonsense\n", "[]\n"])
def test_without_a_configuration_it_says_what_it_wants(given: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "sluice.testing.ssh_host"], input=given, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert "one line of JSON" in ended.stderr
