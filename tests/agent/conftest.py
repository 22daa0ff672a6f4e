"""The whole-pipeline conformance cases: a test that takes `pipeline_case` runs once for each of them."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from sluice.language.compiler import compile_pipeline
from sluice.language.plan import Plan, Repository


@pytest.fixture(scope="session", autouse=True)
def signals_are_heard() -> Iterator[None]:
    """Under `nohup` a hang-up is ignored, in the background of a script an interrupt: processes would inherit that."""
    hang_up = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    interrupt = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGHUP, hang_up)
    signal.signal(signal.SIGINT, interrupt)


CASES = Path(__file__).parents[1] / "conformance" / "pipelines.yaml"
ENTRY = "azure-pipelines.yml"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "pipeline_case" in metafunc.fixturenames:
        cases = yaml.load(CASES.read_bytes(), yaml.CSafeLoader)["cases"]
        metafunc.parametrize("pipeline_case", cases, ids=[case["id"] for case in cases])


class CaseFiles:
    """The `files` of a case: `alias:path` lies in another repository."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = files

    def read(self, repository: Repository, path: str) -> str:
        key = path if repository.alias == "self" else f"{repository.alias}:{path}"
        if key not in self._files:
            raise FileNotFoundError(key)
        return self._files[key]


@pytest.fixture
def case_files(pipeline_case: Mapping[str, Any]) -> CaseFiles:
    return CaseFiles(pipeline_case.get("files", {}))


@pytest.fixture
def case_plan(pipeline_case: Mapping[str, Any], case_files: CaseFiles) -> Plan:
    """The plan of the case; what is refused raises `PipelineError`, so such cases compile by themselves."""
    given = pipeline_case.get("given", {})
    return compile_pipeline(
        ENTRY,
        pipeline_case["yaml"],
        files=case_files,
        parameters=pipeline_case.get("parameters"),
        predefined=given.get("variables"),
    )
