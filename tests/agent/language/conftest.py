"""Compiling small pipelines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from textwrap import dedent
from typing import Any

import pytest

from sluice.errors import PipelineError
from sluice.language.compiler import compile_pipeline
from sluice.language.plan import Plan, Repository


class GivenFiles:
    """Files by path, those of other repositories as `path@alias`."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = {name: dedent(text) for name, text in files.items()}
        self.read_paths: list[str] = []

    def read(self, repository: Repository, path: str) -> str:
        name = path if repository.alias == "self" else f"{path}@{repository.alias}"
        self.read_paths.append(name)
        if name not in self.files:
            raise FileNotFoundError(name)
        return self.files[name]


@pytest.fixture
def compiled() -> Callable[..., Plan]:
    """Compile a text that may be indented; further files are given by name."""

    def compile_text(text: str, files: Mapping[str, str] | None = None, **options: Any) -> Plan:
        return compile_pipeline("a.yml", dedent(text), files=GivenFiles(files or {}), **options)

    return compile_text


@pytest.fixture
def problems(compiled: Callable[..., Plan]) -> Callable[..., list[str]]:
    """The problems of a pipeline, one line each; none when it compiles."""

    def compile_text(text: str, files: Mapping[str, str] | None = None, **options: Any) -> list[str]:
        try:
            compiled(text, files, **options)
        except PipelineError as error:
            return str(error).splitlines()
        return []

    return compile_text
