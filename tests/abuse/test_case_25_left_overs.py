"""Case 25: a run is killed at some moment, and the next job or another user looks at what it left on the disk."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.abuse.conftest import Sluice

CANARY = "canary-left-over-4711"
STEP = """\
- script: |
    # what log-ins leave: $(token)
    mkdir -p "$DOCKER_CONFIG" "$AZURE_CONFIG_DIR" "$CLOUDSDK_CONFIG" "$(dirname "$KUBECONFIG")"
    for file in "$DOCKER_CONFIG/config.json" "$AZURE_CONFIG_DIR/token" "$CLOUDSDK_CONFIG/db" "$KUBECONFIG" \\
        "$AGENT_TEMPDIRECTORY/id_ed25519"; do
      echo "$T" > "$file"; echo "$T" > "$file.tmp.$$"
      echo MARK{number}
    done
    setsid sleep 300 > /dev/null 2>&1 &
    echo "##vso[task.setvariable variable=kept{number};issecret=true]$T$T"
    echo MARK{number}
  env: {{T: $(token)}}
"""
PIPELINE = (
    "steps:\n- checkout: none\n" + "".join(STEP.format(number=number) for number in (1, 2, 3)) + "- script: sleep 300\n"
)


@pytest.mark.parametrize(("step", "marks"), [(1, 1), (1, 3), (1, 6), (2, 2), (2, 6), (3, 1), (3, 5), (3, 6)])
def test_nothing_is_left_of_a_secret_when_the_next_job_has_begun(sluice: Sluice, step: int, marks: int) -> None:
    (sluice.folder / "azure-pipelines.yml").write_text(PIPELINE)
    (sluice.folder / "next.yml").write_text("steps:\n- checkout: none\n- script: echo next\n")
    value = sluice.folder / "value"
    value.write_text(CANARY)
    with subprocess.Popen(
        [sys.executable, "-m", "sluice", "run", "--non-interactive", "--secret", f"token=@{value}"],
        env=sluice.environment,
        cwd=sluice.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as run:
        assert run.stdout is not None
        seen = 0
        for line in run.stdout:
            seen += line == f"MARK{step}\n"
            if seen == marks:
                break
        run.kill()  # SIGKILL: nobody tidies up
    assert seen == marks
    value.unlink()
    _closed_to_others(sluice.home)
    sluice("run", "next.yml", "--non-interactive")
    _nothing_in(sluice.folder)
    assert not [one for one in Path("/proc").glob("[0-9]*/environ") if CANARY.encode() in _read(one)]


def test_nothing_is_left_of_a_run_that_ended_by_itself(sluice: Sluice) -> None:
    (sluice.folder / "azure-pipelines.yml").write_text(PIPELINE.replace("sleep 300", "true"))
    (sluice.folder / "value").write_text(CANARY)
    sluice("run", "--non-interactive", "--secret", "token=@value")
    (sluice.folder / "value").unlink()
    _nothing_in(sluice.folder)


def _closed_to_others(home: Path) -> None:
    """Until then no other user reads the private folders."""
    for private in (home / "work" / "_temp").iterdir():
        if private.is_dir():
            assert stat.S_IMODE(private.stat().st_mode) == 0o700


def _nothing_in(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            content = path.read_bytes()
            assert CANARY.encode() not in content, path


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
