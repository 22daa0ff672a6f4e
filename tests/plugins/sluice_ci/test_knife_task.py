from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest

from sluice.runtime.cancellation import Cancellation
from sluice.runtime.request import Result
from sluice.testing.connections import make_connection
from sluice.testing.task_runner import TaskOutcome, run_task
from sluice_ci._knife_task import ruby

KEY = "-----BEGIN RSA PRIVATE KEY-----\nc2VjcmV0LWtleS1kYXRh\n-----END RSA PRIVATE KEY-----\n"
SHOW = """#!/bin/sh
echo "in $PWD with $*"
cat .chef/config.rb
ls -ld .chef .chef/client.pem | cut -c1-10
cmp .chef/client.pem "$KEY_COPY" && echo same key
knife node list
env | grep -c 'PRIVATE KEY' || true
"""


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A PATH on which `knife` answers what it was asked."""
    folder = tmp_path / "bin"
    folder.mkdir()
    knife = folder / "knife"
    knife.write_text('#!/bin/sh\necho "knife: $*"\n')
    knife.chmod(0o755)
    return folder


def knife(
    tmp_path: Path,
    path: str,
    script: str,
    name: str = "deploy.sh",
    cancellation: Cancellation | None = None,
    **inputs: str,
) -> TaskOutcome:
    (tmp_path / name).write_text(script)
    (tmp_path / "copy.pem").write_text(KEY)
    values = {"username": "o'neill", "password": KEY}
    url = "https://chef.example.com/organizations/example/"
    connection = make_connection("chef", "kitchen", url=url, values=values)
    return run_task(
        "ChefKnife@1",
        inputs={"ScriptPath": name} | inputs,
        connections={"ConnectedServiceName": connection},
        sources=tmp_path,
        environment={"PATH": path, "KEY_COPY": str(tmp_path / "copy.pem")},
        cancellation=cancellation,
    )


def test_a_script_finds_knife_set_up_and_nobody_else_the_key(tmp_path: Path, programs: Path) -> None:
    outcome = knife(tmp_path, f"{programs}:{os.defpath}", SHOW, ScriptArguments="one 'two three'")
    assert outcome.result is Result.SUCCEEDED, outcome.message
    text = outcome.log
    assert "with one two three" in text
    assert "node_name 'o\\'neill'" in text
    assert "chef_server_url 'https://chef.example.com/organizations/example'" in text
    assert [line for line in outcome.lines if line.startswith(("drwx", "-rw"))] == ["drwx------", "-rw-------"]
    assert {"same key", "knife: node list", "0"} <= set(outcome.lines)
    folder = Path(text.split("in ", 1)[1].split(" with", 1)[0])
    assert folder.name == "chef-repo"
    assert not folder.exists()


def test_a_script_that_fails_fails_the_task(tmp_path: Path, programs: Path) -> None:
    outcome = knife(tmp_path, f"{programs}:{os.defpath}", "echo no; exit 3\n")
    assert "deploy.sh failed with exit code 3" in outcome.message


def test_without_knife_the_way_to_get_it_is_told(tmp_path: Path) -> None:
    outcome = knife(tmp_path, str(tmp_path), SHOW)
    assert "Unable to locate executable file: 'knife' (install Chef Workstation" in outcome.message


@pytest.mark.parametrize(
    ("name", "inputs", "message"),
    [
        ("deploy.txt", {}, "deploy.txt cannot be run (make it executable"),
        ("deploy.ps1", {}, "Unable to locate executable file: 'pwsh' or 'powershell'"),
        ("deploy.sh", {"ScriptArguments": "'open"}, "ScriptArguments cannot be read"),
        ("deploy.sh", {"ScriptPath": "missing.sh"}, "Not found ScriptPath"),
    ],
)
def test_a_script_that_cannot_be_run_is_told(
    tmp_path: Path, programs: Path, name: str, inputs: dict[str, str], message: str
) -> None:
    (programs / "bash").symlink_to(shutil.which("bash") or "/bin/bash")
    outcome = knife(tmp_path, str(programs), SHOW, name, None, **inputs)
    assert outcome.result is Result.FAILED
    assert message in outcome.message


def test_a_cancellation_ends_the_script_and_removes_the_key(tmp_path: Path, programs: Path) -> None:
    cancellation = Cancellation()
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    def cancel() -> None:
        fifo.open().close()  # the script runs
        cancellation.cancel()

    thread = threading.Thread(target=cancel)
    thread.start()
    outcome = knife(
        tmp_path,
        f"{programs}:{os.defpath}",
        f'echo "$PWD" > {tmp_path}/place; : > {fifo}; sleep 60\n',
        cancellation=cancellation,
    )
    thread.join()
    assert outcome.result is Result.CANCELED
    assert not Path((tmp_path / "place").read_text().strip()).exists()


def test_nothing_is_evaluated_in_a_string_of_ruby() -> None:
    assert ruby("a'b\\c#{x}\n") == "'a\\'b\\\\c#{x}\n'"
