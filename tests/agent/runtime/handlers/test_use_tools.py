"""`UsePythonVersion@0`, `NodeTool@0` and `UseNode@1`."""

from __future__ import annotations

import platform
import sys
from typing import TYPE_CHECKING

import pytest

from sluice.runtime.handlers.use_python import to_range

if TYPE_CHECKING:
    from pathlib import Path

    from tests.agent.runtime.conftest import Jobs, Ran

NODE_ARCHITECTURE = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


@pytest.fixture
def cache(jobs: Jobs, tmp_path: Path) -> Path:
    folder = tmp_path / "tools"
    for tool, version, architecture, program in (
        ("Python", "3.9.1", "x64", "python"),
        ("Python", "3.12.4", "x64", "python"),
        ("Python", "3.13.0-rc1", "x64", "python"),
        ("PyPy", "3.10.2", "x64", "pypy"),
        ("node", "18.2.0", NODE_ARCHITECTURE, "node"),
        ("node", "20.1.0", NODE_ARCHITECTURE, "node"),
    ):
        bin_ = folder / tool / version / architecture / "bin"
        bin_.mkdir(parents=True)
        (bin_.parent.parent / f"{architecture}.complete").touch()
        (bin_ / program).write_text(f"#!/bin/sh\necho {tool} {version}\n")
        (bin_ / program).chmod(0o755)
    half = folder / "Python/3.14.0/x64/bin"
    half.mkdir(parents=True)
    jobs.environ["AGENT_TOOLSDIRECTORY"] = str(folder)
    jobs.environ["PATH"] = "/usr/bin:/bin"
    return folder


def python(jobs: Jobs, spec: str, **inputs: str) -> Ran:
    return jobs.run(
        jobs.step("UsePythonVersion@0", "U", inputs={"versionSpec": spec, **inputs}),
        jobs.script("python 2>&1 </dev/null; echo at $(U.pythonLocation)"),
    )


@pytest.mark.parametrize(("spec", "version"), [("3.9", "3.9.1"), ("3.12.x", "3.12.4"), (">=3.12 <3.13", "3.12.4"), ("3.13.0rc1", "3.13.0-rc1")])  # fmt: skip
def test_a_python_of_the_tool_cache_comes_first(jobs: Jobs, cache: Path, spec: str, version: str) -> None:
    ran = python(jobs, spec)
    assert ran.output("A") == [f"Python {version}", f"at {cache}/Python/{version}/x64"]


def test_the_path_stays_on_request(jobs: Jobs, cache: Path) -> None:
    ran = python(jobs, "3.9", addToPath="false")
    assert "Python 3.9.1" not in ran.log("A")
    assert f"at {cache}/Python/3.9.1/x64" in ran.log("A")


def test_pypy_is_found_by_the_version_of_its_python(jobs: Jobs, cache: Path) -> None:
    ran = python(jobs, "pypy3.10")
    assert f"at {cache}/PyPy/3.10.2/x64/bin" in ran.log("A")


def test_an_interpreter_of_the_machine_is_found_and_called_python(jobs: Jobs, cache: Path) -> None:
    folder = jobs.work.parent / "usr"
    folder.mkdir()
    (folder / "python3").symlink_to(sys.executable)
    jobs.environ["PATH"] = f"{folder}:/bin"
    jobs.environ["HOME"] = "/nonexistent"
    own = platform.python_version()
    ran = jobs.run(
        jobs.step("UsePythonVersion@0", "U", inputs={"versionSpec": own}),
        jobs.script("python -c 'import sys; print(sys.version_info[:3])'"),
    )
    assert ran.output("A") == [str(tuple(sys.version_info[:3]))], ran.log()


def test_a_version_that_is_not_there_says_what_is(jobs: Jobs, cache: Path) -> None:
    ran = python(jobs, "2.7")
    assert ran.results()["U"] == "Failed"
    assert "Version spec 2.7 did not match any version of Python on this machine" in ran.log("U")
    assert "3.9.1" in ran.log("U")
    assert "3.14.0" not in ran.log("U"), "it is not complete"
    assert str(cache) in ran.log("U")


def test_what_is_no_version_is_told(jobs: Jobs, cache: Path) -> None:
    assert "'three' is no version" in python(jobs, "three").log("U")


@pytest.mark.parametrize(
    ("spec", "expected"),
    [("3.13-dev", ">=3.13.0-a0"), ("3.13.0rc1", "3.13.0-rc1"), ("3.x", "3.x"), ("", "*")],
)
def test_pythons_own_spellings_are_understood(spec: str, expected: str) -> None:
    assert to_range(spec) == expected


def test_a_node_of_the_tool_cache_comes_first(jobs: Jobs, cache: Path) -> None:
    for task, inputs in (
        ("NodeTool@0", {"versionSource": "spec", "versionSpec": "18.x"}),
        ("UseNode@1", {"version": "18.x"}),
    ):
        ran = jobs.run(jobs.step(task, "U", inputs=inputs), jobs.script("node"))
        assert ran.output("A") == ["node 18.2.0"], ran.log()


@pytest.mark.parametrize(("name", "text"), [(".nvmrc", "v20.1.0\n"), (".tool-versions", "ruby 3\nnodejs 20.1.0\n")])
def test_the_version_of_node_may_stand_in_a_file(jobs: Jobs, cache: Path, name: str, text: str) -> None:
    (jobs.repository / name).write_text(text)
    inputs = {"versionSource": "fromFile", "versionFilePath": str(jobs.repository / name)}
    ran = jobs.run(jobs.step("NodeTool@0", "U", inputs=inputs), jobs.script("node"))
    assert ran.output("A") == ["node 20.1.0"], ran.log()


def test_a_node_of_a_shared_folder_is_linked_to(jobs: Jobs, cache: Path) -> None:
    bin_ = jobs.work.parent / "nvm/versions/node/v16.0.0/bin"
    bin_.mkdir(parents=True)
    (bin_ / "node").write_text("#!/bin/sh\necho v16.0.0\n")
    (bin_ / "node").chmod(0o755)
    jobs.environ["NVM_DIR"] = str(jobs.work.parent / "nvm")
    ran = jobs.run(jobs.step("UseNode@1", "U", inputs={"version": "16"}), jobs.script("node; which node"))
    assert ran.output("A") == ["v16.0.0", str(bin_ / "node")], ran.log()


def test_a_node_that_is_not_there_downloads_nothing(jobs: Jobs, cache: Path) -> None:
    ran = jobs.run(jobs.step("UseNode@1", "U", inputs={"version": "7"}))
    assert "Sluice downloads nothing" in ran.log("U")
    assert ran.results() == {"U": "Failed"}
