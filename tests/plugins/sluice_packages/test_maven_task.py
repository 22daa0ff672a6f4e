"""Maven@4: what Maven is called with. A program in its place says that; see tests/real/packages for Maven itself."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from sluice.runtime.request import Result
from sluice.testing.task_runner import TaskOutcome, run_task

PROGRAM = """#!{python}
import json, os, pathlib, sys
pathlib.Path({seen!r}).write_text(json.dumps([sys.argv, dict(os.environ)]))
reports = pathlib.Path("target/surefire-reports")
reports.mkdir(parents=True, exist_ok=True)
(reports / "TEST-a.xml").write_text("<testsuite/>")
sys.exit(int(os.environ.get("STATUS", "0")))
"""


class Maven:
    def __init__(self, folder: Path) -> None:
        self.sources = folder / "sources"
        self.sources.mkdir()
        (self.sources / "pom.xml").write_text("<project/>")
        self.home = folder / "maven"
        (self.home / "bin").mkdir(parents=True)
        self._seen = folder / "seen.json"
        program = self.home / "bin" / "mvn"
        program.write_text(PROGRAM.format(python=sys.executable, seen=os.fspath(self._seen)))
        program.chmod(0o755)

    def run(self, environment: dict[str, str] | None = None, /, **inputs: str) -> TaskOutcome:
        given = {"PATH": os.fspath(self.home / "bin"), **(environment or {})}
        return run_task("Maven@4", inputs=inputs, sources=self.sources, environment=given)

    @property
    def seen(self) -> tuple[list[str], dict[str, Any]]:
        argv, environment = json.loads(self._seen.read_text())
        return argv[1:], environment


@pytest.fixture
def maven(tmp_path: Path) -> Maven:
    return Maven(tmp_path)


def test_goals_and_options_are_handed_over_and_results_published(maven: Maven) -> None:
    outcome = maven.run(goals="clean verify", options="-B -Dname='a b'", testRunTitle="unit", mavenOpts="-Xmx99m")
    assert outcome.result == Result.SUCCEEDED, outcome.log
    argv, environment = maven.seen
    assert argv == ["-f", os.fspath(maven.sources / "pom.xml"), "-B", "-Dname=a b", "clean", "verify"]
    assert environment["MAVEN_OPTS"] == "-Xmx99m"
    (results,) = outcome.test_results
    assert (results.runner, results.title, results.files) == ("JUnit", "unit", ("TEST-a.xml",))


def test_results_are_published_when_maven_fails(maven: Maven) -> None:
    outcome = maven.run({"STATUS": "1"})
    assert outcome.result == Result.FAILED
    assert "Maven failed with exit code 1" in outcome.message
    assert len(outcome.test_results) == 1
    assert maven.run(publishJUnitResults="false").test_results == ()


def test_maven_and_java_may_be_named(maven: Maven) -> None:
    inputs = {"mavenVersionSelection": "Path", "mavenPath": os.fspath(maven.home), "mavenSetM2Home": "true"}
    inputs |= {"jdkVersion": "1.17"}
    assert maven.run({"PATH": "/nowhere", "JAVA_HOME_17_X64": "/opt/jdk17"}, **inputs).result == Result.SUCCEEDED
    assert maven.seen[1]["JAVA_HOME"] == "/opt/jdk17"
    assert maven.seen[1]["M2_HOME"] == os.fspath(maven.home)
    missing = maven.run(jdkVersion="1.21")
    assert "the variable JAVA_HOME_21_X64 is not set" in missing.message


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ({"mavenPOMFile": "other.xml"}, "Not found mavenPOMFile"),
        ({"codeCoverageTool": "JaCoCo"}, "codeCoverageToolOption JaCoCo is not supported"),
        ({"pmdAnalysisEnabled": "true"}, "pmdAnalysisEnabled is not supported"),
        ({"mavenFeedAuthenticate": "true"}, "there is no Azure Artifacts feed"),
        ({"options": "'"}, "options cannot be read"),
        ({"mavenVersionSelection": "Path", "mavenPath": "/nowhere"}, "Not found: /nowhere/bin/mvn"),
    ],
)
def test_what_cannot_be_done_is_told_before_anything_runs(maven: Maven, inputs: dict[str, str], told: str) -> None:
    outcome = maven.run(**inputs)
    assert outcome.result == Result.FAILED
    assert told in outcome.message
    assert not list(maven.sources.glob("target"))


def test_a_missing_maven_is_told(maven: Maven) -> None:
    assert "Unable to locate executable file: 'mvn'" in maven.run({"PATH": "/nowhere"}).message
