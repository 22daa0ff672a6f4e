"""Compiles a pipeline: its file, the templates it includes, parameters and variables become a plan."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from sluice.errors import Location, PipelineError, Problem
from sluice.language.build import Build
from sluice.language.expressions import Object
from sluice.language.fixed_variables import note_fixed
from sluice.language.loader import load
from sluice.language.parameters import bind, given_nodes, read_declared, webhooks
from sluice.language.pipeline import build_plan
from sluice.language.problems import Problems
from sluice.language.reader import Reader
from sluice.language.scope import Budget, Scope, Variables
from sluice.language.tasks import TaskCatalogue
from sluice.language.templates import NoFiles, Templates
from sluice.language.tree import Mapping as MappingNode
from sluice.language.tree import Source, kind_of
from sluice.language.unacted import note_unacted
from sluice.language.values import mapping_of, plain_value

if TYPE_CHECKING:
    from sluice.language.parameters import Declared
    from sluice.language.plan import Plan
    from sluice.language.templates import Files

DEEPEST_CALLS = 3000


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
    return _compile(file, text, files, parameters, predefined, catalogue)[0]


def preview_pipeline(
    file: str,
    text: str | bytes,
    *,
    files: Files | None = None,
    parameters: Mapping[str, object] | None = None,
    predefined: Mapping[str, str] | None = None,
    catalogue: TaskCatalogue | None = None,
) -> str:
    """The pipeline as one YAML file with nothing left to expand; it compiles to the same stages, jobs and steps.

    Raises `PipelineError` as `compile_pipeline` does.
    """
    from sluice.language.preview import format_tree

    return format_tree(_compile(file, text, files, parameters, predefined, catalogue)[1])


def _compile(
    file: str,
    text: str | bytes,
    files: Files | None,
    parameters: Mapping[str, object] | None,
    predefined: Mapping[str, str] | None,
    catalogue: TaskCatalogue | None,
) -> tuple[Plan, MappingNode]:
    with _room_to_work():
        compilation = _Compilation(file, files or NoFiles(), catalogue or TaskCatalogue())
        try:
            return compilation.plan(text, parameters or {}, predefined or {})
        except PipelineError as error:
            problems = compilation.problems
            for problem in error.problems:
                problems.add_at(problem.what, problem.where or Location(file), do=problem.do)
            raise problems.error() from error
        except RecursionError as error:
            raise PipelineError([Problem("the pipeline is nested too deep", Location(file))]) from error


class _Compilation:
    """One compilation: load, bind parameters, expand, build."""

    def __init__(self, file: str, files: Files, catalogue: TaskCatalogue) -> None:
        self.problems = Problems()
        self._source = Source(file)
        self._reader = Reader(self.problems)
        self._templates = Templates(files, self.problems, Budget())
        self._catalogue = catalogue

    def plan(
        self, text: str | bytes, given: Mapping[str, object], predefined: Mapping[str, str]
    ) -> tuple[Plan, MappingNode]:
        """The plan, and the expanded tree that it is made of."""
        root = self.root(text)
        declared = read_declared(self._reader, root.get("parameters"))
        parameters = self._parameters(declared, given, root)
        scope = Scope.of(self._source, parameters, Variables(predefined), declared=not declared.legacy_form)
        body = mapping_of([pair for pair in root.pairs if pair[0].value != "parameters"], root)
        expanded = self._templates.expand_root(body, scope)
        build = Build(
            self.problems,
            self._catalogue,
            self._reader,
            incomplete=bool(self.problems),
            extends=bool(self._templates.extends),
        )
        plan = build_plan(
            build,
            expanded,
            parameters={each.name: plain_value(parameters.get(each.name)) for each in declared.parameters},
            files=(self._source.name, *self._templates.names),
            extends=tuple(self._templates.extends),
            extended=tuple(self._templates.extended),
        )
        self.problems.raise_if_any()
        note_fixed(plan, self.problems)
        note_unacted(plan, self.problems)
        return replace(plan, notes=self.problems.notes), expanded

    def root(self, text: str | bytes) -> MappingNode:
        """The tree of the entry file."""
        root = load(self._source, text, self.problems)
        if root is None:
            raise PipelineError([Problem("the file is empty", Location(self._source.name, 1, 1))])
        if type(root) is not MappingNode:
            raise PipelineError([Problem(f"a pipeline has to be a mapping, not {kind_of(root)}", root.where)])
        return root

    def _parameters(self, declared: Declared, given: Mapping[str, object], root: MappingNode) -> Object:
        """The parameters of the entry file: given when the run is queued, else defaults, else the first value."""
        declared = declared.of_entry(webhooks(root))
        nodes = given_nodes(declared, given, root, self.problems)
        return bind(self._reader, declared, nodes, root, entry=True)


@contextmanager
def _room_to_work() -> Iterator[None]:
    """Neither the collector nor the depth of calls gets in the way.

    Nothing a compilation makes is garbage before it ends: collecting meanwhile doubles the time of large files. The
    documented hundred levels of templates, with directives in them, take more calls than Python allows by default.
    """
    if sys.getrecursionlimit() < DEEPEST_CALLS:
        sys.setrecursionlimit(DEEPEST_CALLS)
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
