from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

from sluice.testing.ssh_host import SshHost


def test_loading_the_plugin_imports_nothing_heavy() -> None:
    code = (
        "import sys, pytest; before = set(sys.modules); import sluice.testing.pytest_plugin;"
        "print(sorted(name for name in set(sys.modules) - before if not name.startswith('sluice')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"


def test_a_task_runs_on_a_throw_away_host(sluice_run_task: Callable[..., Any], sluice_ssh_host: SshHost) -> None:
    outcome = sluice_run_task(
        "SSH@0", inputs={"commands": "echo hello"}, connections={"sshEndpoint": sluice_ssh_host.connection()}
    )
    assert outcome.lines[-1] == "hello"


def test_several_hosts_can_be_started(sluice_ssh_hosts: Callable[..., SshHost]) -> None:
    first, second = sluice_ssh_hosts(password="a-password"), sluice_ssh_hosts(prompts=[("Password: ", "b")])
    assert first.port != second.port


def test_a_connection_is_made(sluice_connection: Callable[..., Any]) -> None:
    assert sluice_connection("generic", url="https://example.org").url == "https://example.org"
