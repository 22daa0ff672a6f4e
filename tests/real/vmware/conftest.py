"""A vCenter on loopback: VMware's own simulator (govmomi), built by Go from its module."""

from __future__ import annotations

import gc
import os
import subprocess
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.doubles.certificates import Authority
from tests.doubles.vcenter import PASSWORD, USER, VCenter

SOURCES = Path(__file__).parent / "vcsim"


@pytest.fixture(scope="session")
def simulator(require_program: Callable[[str, str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The simulator as a program."""
    go = require_program("go", "apt-get install golang-go, or https://go.dev/dl")
    program = tmp_path_factory.mktemp("vcsim") / "vcsim"
    done = subprocess.run(
        [go, "build", "-o", program, "."],
        cwd=SOURCES,
        check=False,
        env={**os.environ, "GOFLAGS": ""},
        capture_output=True,
        text=True,
    )
    if done.returncode and os.environ.get("SLUICE_REQUIRE_REAL") != "1" and "dial tcp" in done.stderr:
        pytest.skip(f"the modules of the simulator cannot be had: {done.stderr}")
    assert done.returncode == 0, done.stderr
    return program


@pytest.fixture
def vcenter(simulator: Path, tmp_path: Path) -> Iterator[VCenter]:
    """A fresh one for each test."""
    authority = Authority(tmp_path)
    certificate, key = authority.issue("vcenter", tmp_path)
    with subprocess.Popen(
        [simulator, USER, PASSWORD, certificate, key], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        port = process.stdout.readline().strip()
        yield VCenter(f"https://127.0.0.1:{port}", authority.path)
        process.stdin.close()  # which ends it
        process.wait(30)


@pytest.fixture(autouse=True)
def leftovers() -> Iterator[None]:
    """Takes away the sockets that pyvmomi leaves behind when a log-in fails."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
