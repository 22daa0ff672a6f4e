"""Templates: files that are included in a list, or that a pipeline extends."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Protocol

from sluice.errors import PermissionPendingError, PipelineError, Problem, SluiceError
from sluice.language.expansion import Expander
from sluice.language.loader import load
from sluice.language.parameters import bind, read_declared
from sluice.language.plan import ExtendedFile, Repository
from sluice.language.positions import BODIES, ROOT
from sluice.language.problems import did_you_mean
from sluice.language.reader import Reader, text_of
from sluice.language.schema import EXTENDS, INCLUDED, TEMPLATE
from sluice.language.scope import Budget, Scope
from sluice.language.tree import SELF, Mapping, Scalar, Sequence, Source, is_empty, kind_of
from sluice.language.values import mapping_of, sequence_of
from sluice.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sluice.language.parameters import Declared
    from sluice.language.problems import Problems
    from sluice.language.shapes import Shape
    from sluice.language.tree import Node

MAX_FILES = 100
MAX_NESTING = 100
MAX_RECURSIVE = 500


class Files(Protocol):
    """Where templates are read from."""

    def read(self, repository: Repository, path: str) -> str | bytes:
        """The content of a file, its path relative to the root of the repository.

        `OWN`, with the alias `self`, is the pipeline's own; any other is as `resources.repositories` has it.

        Raises `FileNotFoundError` when there is no such file, `PermissionPendingError` when somebody has to permit the
        repository's service connection first (that ends the compilation), and another `SluiceError` when the
        repository is not at hand.
        """


class NoFiles:
    """For a pipeline that stands alone."""

    def read(self, repository: Repository, path: str) -> str | bytes:
        raise FileNotFoundError(f"{path}@{repository.alias}")


OWN = Repository(alias=SELF, type="git")


@dataclass(frozen=True, slots=True)
class _Declared:
    """A repository by its alias, and where its other values are evaluated when a template in it is needed."""

    alias: str
    item: Mapping | None = None
    scope: Scope | None = None


@dataclass(frozen=True, slots=True)
class _File:
    root: Mapping
    declared: Declared
    repository: Repository


class Templates:
    """Reads the template files of one compilation, each once, and includes them."""

    def __init__(self, files: Files, problems: Problems, budget: Budget) -> None:
        self._files = files
        self._problems = problems
        self._reader = Reader(problems)
        self._loaded: dict[tuple[str, str], _File | None] = {}
        self._unreadable: set[tuple[str, str]] = set()
        self._recursive = 0
        self._repositories = {SELF: _Declared(SELF)}
        self.expander = Expander(problems, budget, self.include)
        self.extends: list[str] = []
        self.extended: list[ExtendedFile] = []

    @property
    def names(self) -> list[str]:
        """The files read so far."""
        return [found.root.source.name for found in self._loaded.values() if found is not None]

    def include(self, item: Mapping, scope: Scope, kind: str) -> list[Node]:
        """The items of the template that an item names."""
        found = self._called(item, scope, TEMPLATE)
        if found is None:
            return []
        file, inner = found
        root = file.root
        body = self._reader.fields(root, INCLUDED[kind]).get(kind)
        if body is None:
            if root.get(kind) is None:
                advice = f"it needs '{kind}', since it is included there"
                self._problems.add(f"the template '{root.source.name}' has no '{kind}'", item, do=advice)
            return []
        result = self.expander.expand(body, inner, BODIES[kind])
        if type(result) is Mapping and kind == "variables":
            return [_as_item(key, value) for key, value in result.pairs]
        return result.items if type(result) is Sequence else []

    def extend(self, node: Node, scope: Scope) -> Mapping | None:
        """The expanded root of the template that `extends` names."""
        node = self.expander.expand(node, scope) if _has_expression_keys(node) else node
        mapping = self._reader.mapping(node, "'extends'")
        found = self._called(mapping, scope, EXTENDS) if mapping is not None else None
        if found is None:
            return None
        file, inner = found
        self.extends.append(file.root.source.name)
        self.extended.append(ExtendedFile(repository=file.repository, path=file.root.source.path))
        pairs = [pair for pair in file.root.pairs if pair[0].value != "parameters"]
        return self.expand_root(Mapping(pairs, 1, 1, file.root.source), inner)

    def expand_root(self, root: Mapping, scope: Scope) -> Mapping:
        """A root without anything left to expand, and without `extends`: what that brings is merged in."""
        extends = root.get("extends")
        rest = [pair for pair in root.pairs if pair[0].value != "extends"]
        self.learn_repositories(root, scope)
        # even where there is nothing to expand the variables have to be learnt
        expanded = self.expander.expand(Mapping(rest, root.line, root.column, root.source, dynamic=True), scope, ROOT)
        if type(expanded) is not Mapping:
            return mapping_of([], root)
        self.learn_repositories(expanded, scope)
        late = expanded.get("extends")
        if late is not None:
            expanded = mapping_of([pair for pair in expanded.pairs if pair[0].value != "extends"], root)
        extends = extends if extends is not None else late
        if extends is None:
            return expanded
        base = self.extend(extends, scope)
        return self._merged(expanded, base) if base is not None else expanded

    def _merged(self, root: Mapping, base: Mapping) -> Mapping:
        """The root of a file together with that of the template it extends."""
        own = {key.value: (key, value) for key, value in root.pairs}
        pairs = list(root.pairs)
        for key, value in base.pairs:
            name = key.value
            if name not in own:
                pairs.append((key, value))
            elif name == "resources":
                pairs[pairs.index(own[name])] = (own[name][0], _joined(own[name][1], value))
            elif name == "variables" or name in BODIES:
                self._problems.add(f"'{name}' is already defined", own[name][0], do=f"by the template, at {key.where}")
        return mapping_of(pairs, root)

    def learn_repositories(self, root: Mapping, scope: Scope) -> None:
        """Make the aliases of `resources.repositories` known to `template: file@alias`."""
        resources = root.get("resources")
        listed = resources.get("repositories") if type(resources) is Mapping else None
        for item in listed.items if type(listed) is Sequence else []:
            alias = item.get("repository") if type(item) is Mapping else None
            if type(item) is Mapping and type(alias) is Scalar and alias.value.casefold() != SELF:
                self._repositories[alias.value.casefold()] = _Declared(alias.value, item, scope)

    def _called(self, item: Mapping, scope: Scope, shape: Shape) -> tuple[_File, Scope] | None:
        """The file that an item names and the scope of its body, parameters bound."""
        reference = item.get("template")
        if reference is None or type(reference) is not Scalar:
            if reference is None:
                self._problems.add(f"{shape.what} needs 'template'", item)
            else:
                self._problems.add(f"'template' has to be a text, not {kind_of(reference)}", reference)
            return None
        path = self.expander.scalar(reference, scope)
        if type(path) is not Scalar or not path.value:
            self._problems.add("'template' names no file", reference)
            return None
        file = self._file(path, scope)
        if file is None:
            return None
        parameters = bind(self._reader, file.declared, self._given(item, scope, shape), item)
        inner = Scope.of(
            file.root.source, parameters, scope.variables, declared=not file.declared.anything, chain=scope.chain
        )
        return file, inner

    def _given(self, item: Mapping, scope: Scope, shape: Shape) -> dict[str, Node]:
        """The parameters that an item passes, expanded in the scope of the caller."""
        pairs = [pair for pair in item.pairs if pair[0].value != "template"]
        expanded = self.expander.expand(Mapping(pairs, item.line, item.column, item.source, dynamic=True), scope)
        if type(expanded) is not Mapping:
            return {}
        for key, value in expanded.pairs:
            if key.value != "parameters":
                self._reader.unknown_key(key, shape)
            elif type(value) is Mapping:
                return {name.value: each for name, each in value.pairs}
            elif not is_empty(value):
                self._problems.add(f"'parameters' has to be a mapping, not {kind_of(value)}", value)
        return {}

    def _file(self, path: Scalar, scope: Scope) -> _File | None:
        """The file that a reference means."""
        places = self._places(path, scope.source)
        for place in places:
            if self._may_nest(place, scope, path) and self._load(place, path):
                return self._loaded[place]
        if places and places[0] not in self._unreadable:
            alias, name = places[0]
            self._problems.add(f"there is no template file '{Source(name, alias).name}'", path)
        return None

    def _places(self, path: Scalar, current: Source) -> list[tuple[str, str]]:
        """Where a reference may lie, as repository and path.

        A relative path starts at the file that it is written in; one with an alias may also start at the root. A
        reference in a parameter may be meant for the current file, which puts it in.
        """
        written = path.value.strip().replace("\\", "/")
        if "$(" in written or written.startswith("$["):
            advice = "templates are read when the run is created: only '${{ }}' can be used"
            self._problems.add(f"'{path.value}' cannot be the name of a template", path, do=advice)
            return []
        name, at, alias = written.rpartition("@")
        home = path.source
        if not at:
            bases = [
                (home.repository, posixpath.dirname(home.path)),
                (current.repository, posixpath.dirname(current.path)),
            ]
            return self._resolved(written, bases, path)
        declared = self._repositories.get(alias.casefold())
        if declared is None:
            known = [each.alias for each in self._repositories.values()]
            advice = did_you_mean(alias, known) or "declare it under resources.repositories"
            self._problems.add(f"the repository '{alias}' of the template '{path.value}' is unknown", path, do=advice)
            return []
        repository = declared.alias
        bases = [(repository, posixpath.dirname(home.path))] if repository == home.repository else []
        return self._resolved(name, [*bases, (repository, "")], path)

    def _repository(self, alias: str) -> Repository:
        """The repository as it is declared, expressions evaluated."""
        declared = self._repositories.get(alias.casefold())
        if declared is None or declared.item is None or declared.scope is None:
            return OWN
        values: dict[str, Scalar] = {}
        for key in ("type", "name", "ref", "endpoint"):
            node = declared.item.get(key)
            value = self.expander.scalar(node, declared.scope) if type(node) is Scalar else None
            if type(value) is Scalar and value.value:
                values[key] = value
        texts = {key: value.value for key, value in values.items()}
        return Repository(
            alias=declared.alias,
            type=texts.get("type", "git").casefold(),
            name=texts.get("name", ""),
            ref=texts.get("ref", ""),
            endpoint=text_of(values["endpoint"]) if "endpoint" in values else None,
            where=declared.item.where,
        )

    def _resolved(self, name: str, bases: Iterable[tuple[str, str]], path: Scalar) -> list[tuple[str, str]]:
        found: dict[tuple[str, str], None] = {}
        for repository, folder in bases:
            resolved = posixpath.normpath(name.lstrip("/") if name.startswith("/") else posixpath.join(folder, name))
            if resolved != ".." and not resolved.startswith("../"):
                found[repository, resolved] = None
        if not found:
            self._problems.add(f"the template '{path.value}' lies outside its repository", path)
        return list(found)

    def _may_nest(self, place: tuple[str, str], scope: Scope, path: Scalar) -> bool:
        """Whether one more template may be opened here; raises `PipelineError` when it may not."""
        if place in scope.chain:
            self._recursive += 1
        if len(scope.chain) >= MAX_NESTING or self._recursive > MAX_RECURSIVE:
            what = f"templates are nested deeper than {MAX_NESTING} levels"
            if place in scope.chain:
                last = len(scope.chain) - 1 - scope.chain[::-1].index(place)
                circle = [*scope.chain[last:], place]
                what = "templates include each other in a circle: " + " -> ".join(name for _, name in circle)
            raise PipelineError([Problem(what, path.where)])
        return True

    def _load(self, place: tuple[str, str], path: Scalar) -> bool:
        """Whether the file is there; each is read once."""
        if place not in self._loaded:
            if len(self.names) >= MAX_FILES:
                raise PipelineError([Problem(f"more than {MAX_FILES} template files", path.where)])
            self._loaded[place] = self._read(place, path)
        return self._loaded[place] is not None

    def _read(self, place: tuple[str, str], path: Scalar) -> _File | None:
        alias, name = place
        source = Source(name, alias)
        self._problems.include(source.name, path.where)
        repository = self._repository(alias)
        try:
            content = self._files.read(repository, name)
        except FileNotFoundError:
            return None
        except PermissionPendingError:
            raise
        except SluiceError as error:
            self._bad(place, f"the template '{source.name}' cannot be read: {error.what}", path, error.do)
            return None
        try:
            root = load(source, content, self._problems)
        except PipelineError as error:
            for problem in error.problems:
                self._problems.add_at(problem.what, problem.where or path.where, do=problem.do)
            self._unreadable.add(place)
            return None
        if root is None or type(root) is not Mapping:
            self._bad(place, f"the template '{source.name}' has to be a mapping", path)
            return None
        return _File(root, read_declared(self._reader, root.get("parameters")), repository)

    def _bad(self, place: tuple[str, str], what: str, path: Scalar, do: str = "") -> None:
        self._unreadable.add(place)
        self._problems.add(what, path, do=do)


def _has_expression_keys(node: Node) -> bool:
    return type(node) is not Mapping or any(key.dynamic for key, _ in node.pairs)


def _as_item(name: Scalar, value: Node) -> Mapping:
    """A variable of the map form in the list form."""

    def text(word: str) -> Scalar:
        return Scalar(word, name.line, name.column, name.source)

    return mapping_of([(text("name"), name), (text("value"), value)], name)


def _joined(first: Node, second: Node) -> Node:
    """Two `resources` in one."""
    if type(first) is not Mapping or type(second) is not Mapping:
        return first
    pairs = {key.value: (key, value) for key, value in first.pairs}
    for key, value in second.pairs:
        mine = pairs.get(key.value)
        if mine is not None and type(mine[1]) is Sequence and type(value) is Sequence:
            pairs[key.value] = (mine[0], sequence_of([*mine[1].items, *value.items], mine[1]))
        else:
            pairs.setdefault(key.value, (key, value))
    return mapping_of(list(pairs.values()), first)
