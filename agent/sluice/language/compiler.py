"""Compiles a pipeline: its file, the templates it includes, parameters and variables become a plan."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from sluice.errors import Location, PipelineError, Problem
from sluice.language.build import Build
from sluice.language.loader import load
from sluice.language.pipeline import build_plan
from sluice.language.problems import Problems
from sluice.language.reader import Reader
from sluice.language.tasks import TaskCatalogue
from sluice.language.tree import Mapping as MappingNode
from sluice.language.tree import Source, kind_of

if TYPE_CHECKING:
    from sluice.language.plan import Plan


class Files(Protocol):
    """Where templates are read from."""

    def read(self, repository: str, path: str) -> str | bytes:
        """The content of a file; `repository` is `self` or the alias of a repository resource.

        Raises `FileNotFoundError` when there is no such file, another `SluiceError` when the repository is not at hand.
        """


class NoFiles:
    """For a pipeline that stands alone."""

    def read(self, repository: str, path: str) -> str | bytes:
        raise FileNotFoundError(f"{path}@{repository}")


def compile_pipeline(
    file: str,
    text: str | bytes,
    *,
    files: Files | None = None,
    parameters: Mapping[str, object] | None = None,
    predefined: Mapping[str, str] | None = None,
    catalogue: TaskCatalogue | None = None,
) -> Plan:
    """The plan of the pipeline `text` of `file`, a path relative to the root of its repository.

    `parameters` are those given when the run is queued, `predefined` the variables that template expressions may read.
    Raises `PipelineError` with everything that is wrong.
    """
    with _no_garbage_collection():
        problems = Problems()
        try:
            return _compile(file, text, problems, catalogue or TaskCatalogue())
        except PipelineError as error:
            if not problems:
                raise
            for problem in error.problems:
                problems.add_at(problem.what, problem.where or Location(file), do=problem.do)
            raise problems.error() from error


def _compile(file: str, text: str | bytes, problems: Problems, catalogue: TaskCatalogue) -> Plan:
    source = Source(file)
    root = load(source, text, problems)
    if root is None:
        raise PipelineError([Problem("the file is empty", Location(file, 1, 1))])
    if type(root) is not MappingNode:
        raise PipelineError([Problem(f"a pipeline has to be a mapping, not {kind_of(root)}", root.where)])
    build = Build(problems, catalogue, Reader(problems))
    plan = build_plan(build, root, parameters={}, files=(source.name,))
    problems.raise_if_any()
    return replace(plan, notes=problems.notes)


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Nothing a compilation makes is garbage before it ends; collecting meanwhile doubles the time of large files."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
