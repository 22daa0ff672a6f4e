"""The task catalogue: what the compiler and the runtime have to know about a task without its package."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, TypedDict

from sluice.language.problems import nearest
from sluice.values import dataclass

if TYPE_CHECKING:
    from typing import NotRequired

    from sluice.hooks.declaration import Input, Task

CHECKOUT = "Checkout@1"
CONTAINERS = "InitializeContainers@1"
"""The step that nobody writes: it starts the containers of its job before the others."""

_CONNECTION = "connectedservice:"
_PHASES = {"pre": "prejobexecution", "main": "execution", "post": "postjobexecution"}
_BEFORE_THE_JOB = frozenset({"DownloadSecureFile@1"})
"""Tasks that Sluice carries out itself, as their manifests have it, before the steps of a job."""


class _RawInput(TypedDict):
    name: str
    type: NotRequired[str]
    aliases: NotRequired[list[str]]
    default: NotRequired[str]
    required: NotRequired[bool]
    visible: NotRequired[str]
    options: NotRequired[list[str]]
    multi: NotRequired[bool]


class _RawTask(TypedDict):
    id: str
    inputs: list[_RawInput]
    outputVariables: NotRequired[list[str]]
    runsOn: NotRequired[list[str]]
    handlers: NotRequired[dict[str, list[str]]]
    demands: NotRequired[list[str]]
    deprecated: NotRequired[bool]


@dataclass(frozen=True, slots=True)
class ConnectionWanted:
    """What kind of service connection an input takes: a type and, where it is choosy, the schemes."""

    type: str
    schemes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TaskDefinition:
    """A task as its manifest (`task.json`) describes it; `reference` is `Name@Major`.

    `handlers` lists the kinds of handler for each of `prejobexecution`, `execution` and `postjobexecution`;
    `runs_on` is empty when any place will do; `multiple` names the inputs that take several values. Only a task that
    runs from an installed package has a `package` (`<id>@<version>`); it, and a task that Sluice carries out itself
    before or after the job, have `executions` (of `pre`, `main`, `post`).
    """

    reference: str
    id: str = ""
    inputs: tuple[Input, ...] = ()
    outputs: tuple[str, ...] = ()
    runs_on: tuple[str, ...] = ()
    handlers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    demands: tuple[str, ...] = ()
    deprecated: bool = False
    multiple: tuple[str, ...] = ()
    label: str = ""
    open_inputs: bool = False
    package: str = ""
    executions: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.reference.partition("@")[0]

    @cached_property
    def _by_name(self) -> Mapping[str, Input]:
        found = {alias.casefold(): each for each in reversed(self.inputs) for alias in each.aliases}
        return found | {each.name.casefold(): each for each in self.inputs}

    def input(self, written: str) -> Input | None:
        """The input of that name or alias, ignoring case."""
        return self._by_name.get(written.casefold())

    @cached_property
    def connections(self) -> Mapping[str, ConnectionWanted]:
        """The inputs that name service connections, by their own names."""
        return {each.name: wanted for each in self.inputs if (wanted := connection_wanted(each.type)) is not None}


def connection_wanted(input_type: str) -> ConnectionWanted | None:
    """What `connectedService:<type>[:<scheme>,...]` asks for; None for any other type of input."""
    if not input_type.casefold().startswith(_CONNECTION):
        return None
    kind, _, schemes = input_type[len(_CONNECTION) :].partition(":")
    return ConnectionWanted(kind, tuple(part.strip() for part in schemes.split(",") if part.strip()))


def split_package(package: str) -> tuple[str, str, str]:
    """Id, version and digest of `<id>@<version>#<digest>`; a plan of an older Sluice has no digest."""
    reference, _, digest = package.partition("#")
    name, _, version = reference.partition("@")
    return name, version, digest


class InstalledPackages(Protocol):
    """The task packages of an installation: those only that run instead of what Sluice or a plugin has."""

    def find(self, name: str, version: str) -> TaskDefinition | None:
        """The newest one that is meant; `version` is `2`, `2.*`, `2.173.1`, ... Raises `SluiceError` when unclear."""

    def get(self, package: str) -> TaskDefinition | None:
        """The one of that id and version (`<id>@<version>#<digest>`)."""

    def check(self, package: str) -> None:
        """Raise `SluiceError` when it is missing, or has another digest."""

    def references(self) -> Iterable[str]:
        """All of them as `Name@Major`."""


class TaskCatalogue:
    """Finds tasks: the built-in ones of Azure Pipelines, and those of plugins and installed packages, which win.

    `packages` are looked at only when a task other than those of scripts is looked up.
    """

    def __init__(
        self,
        declared: Iterable[Task] = (),
        installed: Iterable[TaskDefinition] = (),
        packages: InstalledPackages | None = None,
    ) -> None:
        self._declared = tuple(declared)
        self._packages = packages
        self._found: dict[str, TaskDefinition | None] = {}
        self._own: dict[str, TaskDefinition] = {}
        for definition in (*installed, *(_of_plugin(task) for task in self._declared if task.inputs is not None)):
            self._own[definition.reference.casefold()] = definition
            if definition.id:
                self._own[f"{definition.id}@{_major(definition.reference)}".casefold()] = definition

    def find(self, reference: str) -> TaskDefinition | None:
        """The task that `Name@Major`, `Name@Major.Minor.Patch`, `<id>@Major` or `publisher.extension.task.Name@Major` means."""
        name, _, version = reference.partition("@")
        if self._packages is not None:
            package = self._packages.find(name, version)
            if package is not None:
                return package
        return self.find_own(reference)

    def find_planned(self, reference: str, package: str) -> TaskDefinition | None:
        """The task that a plan's step means: the package that it names, else what there is without one."""
        if not package:
            return self.find_own(reference)
        return self._packages.get(package) if self._packages is not None else None

    def check_planned(self, package: str) -> None:
        """Raise `SluiceError` when what a plan's step names is not installed any more with just that content."""
        if package and self._packages is not None:
            self._packages.check(package)

    def find_own(self, reference: str) -> TaskDefinition | None:
        """As `find`, but for installed packages."""
        name, _, version = reference.partition("@")
        key = f"{name}@{version.partition('.')[0]}".casefold()
        if key not in self._found:
            self._found[key] = self._look_up(key)
        return self._found[key]

    def _look_up(self, key: str) -> TaskDefinition | None:
        own = self._own.get(key)
        if own is None and "." in key:
            own = self._own.get(key.rpartition(".")[2])
        if own is not None:
            return own
        reference = self._built_in_names.get(key)
        return _of_manifest(reference, self._built_in[reference]) if reference is not None else self._bare(key)

    def _bare(self, key: str) -> TaskDefinition | None:
        # a plugin's task of a built-in name whose inputs the catalogue does not know: it takes any
        for task in self._declared:
            if task.inputs is None and task.reference.casefold() == key:
                return TaskDefinition(reference=task.reference, id=task.id, label=task.label, open_inputs=True)
        return None

    @cached_property
    def _built_in(self) -> Mapping[str, _RawTask]:
        # a pipeline of nothing but scripts never comes here, so it does not pay for the imports either
        import json
        from importlib.resources import files

        tasks: Mapping[str, _RawTask] = json.loads(files("sluice.language").joinpath("tasks.json").read_bytes())
        return tasks

    @cached_property
    def _built_in_names(self) -> Mapping[str, str]:
        by_id = {f"{task['id']}@{_major(name)}".casefold(): name for name, task in self._built_in.items()}
        return by_id | {name.casefold(): name for name in self._built_in}

    def references(self) -> tuple[str, ...]:
        """Every task as `Name@Major`, sorted by name."""
        names = set(self._built_in) | {each.reference for each in self._own.values()}
        names |= set(self._packages.references()) if self._packages is not None else set()
        return tuple(sorted(names | {task.reference for task in self._declared}, key=str.casefold))

    def versions(self, name: str) -> tuple[str, ...]:
        """The major versions there are of a task of that name."""
        wanted = name.casefold()
        return tuple(_major(each) for each in self.references() if each.partition("@")[0].casefold() == wanted)

    def nearest(self, reference: str, count: int = 3) -> list[str]:
        """References that may have been meant, best first."""
        name = reference.partition("@")[0]
        names = {each.partition("@")[0]: each for each in self.references()}
        return [names[each] for each in nearest(name, names, count)]


def _major(reference: str) -> str:
    return reference.partition("@")[2].partition(".")[0]


def _of_plugin(task: Task) -> TaskDefinition:
    return TaskDefinition(reference=task.reference, id=task.id, inputs=task.inputs or (), label=task.label)


def _of_manifest(reference: str, raw: _RawTask) -> TaskDefinition:
    from sluice.hooks.declaration import Input

    return TaskDefinition(
        reference=reference,
        id=raw["id"],
        inputs=tuple(
            Input(
                each["name"],
                type=each.get("type", "string"),
                aliases=tuple(each.get("aliases", ())),
                default=each.get("default", ""),
                required=each.get("required", False),
                options=tuple(each.get("options", ())),
                visible=each.get("visible", ""),
            )
            for each in raw["inputs"]
        ),
        outputs=tuple(raw.get("outputVariables", ())),
        runs_on=tuple(raw.get("runsOn", ())),
        handlers={phase: tuple(kinds) for phase, kinds in raw.get("handlers", {}).items()},
        demands=tuple(raw.get("demands", ())),
        deprecated=raw.get("deprecated", False),
        multiple=tuple(each["name"] for each in raw["inputs"] if each.get("multi")),
        executions=_own_executions(reference, raw.get("handlers", {})) if reference != CHECKOUT else (),
    )


def _own_executions(reference: str, handlers: Mapping[str, list[str]]) -> tuple[str, ...]:
    """The executions of a task that is part of the agent, and so of Sluice, if they are more than the main one."""
    if reference in _BEFORE_THE_JOB:
        return ("pre",)
    if "postjobexecution" not in handlers or any(kinds != ["AgentPlugin"] for kinds in handlers.values()):
        return ()
    return tuple(one for one, phase in _PHASES.items() if phase in handlers)
