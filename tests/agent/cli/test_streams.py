"""Output that cannot be written, or has no reader: a run is never left half by that. Real processes and shells."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.agent.cli.conftest import Sluice

CHATTY = (
    "steps:\n- checkout: none\n- bash: for i in $(seq 3000); do echo line $i; done\n- bash: echo x >> {folder}/last\n"
)


def shell(sluice: Sluice, line: str) -> subprocess.CompletedProcess[str]:
    program = f"sluice() {{ '{sys.executable}' -m sluice \"$@\"; }}\nset -o pipefail\n{line}"
    return subprocess.run(
        ["bash", "-c", program],
        env=sluice.environment,
        cwd=sluice.folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(autouse=True)
def chatty(sluice: Sluice) -> None:
    (sluice.folder / "k.yml").write_text(CHATTY.replace("{folder}", str(sluice.folder)))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("sluice run k.yml | head -1", ""),
        ("sluice run k.yml | true", ""),
        (
            "sluice run k.yml >/dev/full",
            "sluice: the output cannot be written: No space left on device; the run goes on unseen\n",
        ),
        ("sluice run k.yml >&-", "sluice: standard output is closed: nothing is shown\n"),
        ("sluice run k.yml <&-", ""),
        ("sluice run k.yml 2>&-", ""),
        ("sluice run k.yml <&- >&- 2>&-", ""),
        ("sluice run k.yml >/dev/full 2>&1", ""),
    ],
)
def test_a_run_goes_on_to_its_end_unseen(sluice: Sluice, line: str, said: str) -> None:
    ended = shell(sluice, line)
    assert ended.stderr == said
    assert ended.returncode == 0
    assert (sluice.folder / "last").read_text() == "x\n"
    assert sluice.json("runs", "show", "1")["result"] == "Succeeded"


def test_a_run_that_waits_unseen_is_left_waiting(sluice: Sluice) -> None:
    sluice.create("web")
    task = "- {task: SSH@0, inputs: {sshEndpoint: web, runOptions: inline, inline: 'true'}}\n"
    (sluice.folder / "k.yml").write_text(f"steps:\n- checkout: none\n{task}")
    ended = shell(sluice, "sluice run k.yml >/dev/full")
    assert ended.returncode == 4
    assert ended.stderr.splitlines()[-1] == "sluice: run 1 is left waiting (sluice resume 1)"
    assert sluice.json("runs", "show", "1")["state"] == "waiting"


@pytest.mark.parametrize("command", ["runs list", "--help", "plugins list --output json"])
def test_other_commands_say_in_one_line_what_keeps_them_from_printing(sluice: Sluice, command: str) -> None:
    sluice("run", "k.yml", "--non-interactive")
    ended = shell(sluice, f"sluice {command} >/dev/full")
    assert ended.stderr == "sluice: the output cannot be written: No space left on device\n"
    assert ended.returncode == 1
    assert shell(sluice, f"sluice {command} >&-").stderr == "sluice: standard output is closed: nothing is shown\n"
    assert "Traceback" not in shell(sluice, f"sluice {command} | true").stderr
