"""The installed packages, as the compiler looks them up and as a job opens them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from sluice.errors import ConflictError
from sluice.language.tasks import TaskDefinition, split_package
from sluice.runtime.packages.manifest import TaskManifest, read_manifest
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.runtime.logging_commands import Command
    from sluice.runtime.packages.execution import Package
    from sluice.runtime.packages.lock_file import Installed
    from sluice.runtime.packages.store import TaskStore


@dataclass(frozen=True, kw_only=True, eq=False)
class InstalledPackages:
    """The packages of a store for compiling and for running.

    `handled` tells whether Sluice or a plugin has a handler for `Name@Major`: then a package is passed over, unless it
    was installed to be preferred or is named with its publisher. `built_in` tells whether Azure Pipelines has a task
    of that name: then what an extension calls so is passed over in the same way.
    """

    store: TaskStore
    handled: Callable[[str], bool]
    built_in: Callable[[str], bool] = lambda _: False
    node: str = ""
    node_options: Sequence[str] = ()
    observe: Callable[[Command], None] | None = None
    _known: dict[str, TaskDefinition] = field(default_factory=dict)

    def find(self, name: str, version: str) -> TaskDefinition | None:
        """The package that a reference means, when it is what runs."""
        entry = self.store.find(name, version)
        return self._definition(entry) if entry is not None and self._runs(entry, name) else None

    def get(self, package: str) -> TaskDefinition | None:
        """The package of that id and version, whatever it consists of by now."""
        entry = self._entry(package)
        return self._definition(entry) if entry is not None else None

    def references(self) -> Iterable[str]:
        """Every task as `Name@Major`."""
        return (entry.reference for entry in self.store.all)

    def check(self, package: str) -> None:
        """Raise `SluiceError` when the package is missing, or was installed anew with other content than is meant."""
        self._meant(package)

    def open(self, package: str) -> Package:
        """The package of that id, version and digest; raises `SluiceError` when it is missing or was changed."""
        from sluice.runtime.packages.execution import Package

        folder = self.store.open(self._meant(package))
        return Package(folder=folder, manifest=read_manifest(folder))

    def _runs(self, entry: Installed, name: str) -> bool:
        if name.strip().lower() == entry.id and self._is_anothers(entry):
            return False
        if entry.preferred or "." in name:
            return True
        taken = bool(entry.extension) and self.built_in(entry.reference)
        return not taken and not self.handled(entry.reference)

    @staticmethod
    def _is_anothers(entry: Installed) -> bool:
        """Whether what a pipeline names by this id is a task of another name."""
        from sluice.language.tasks import TaskCatalogue

        known = TaskCatalogue().find_own(f"{entry.id}@{entry.version[0]}")
        return known is not None and known.name.casefold() != entry.name.casefold()

    def _entry(self, package: str) -> Installed | None:
        name, version, _ = split_package(package)
        return self.store.find(name, version)

    def _meant(self, package: str) -> Installed:
        name, version, digest = split_package(package)
        entry = self.store.get(name, version)
        if digest and digest != entry.digest:
            raise ConflictError(
                f"the task {entry.name}@{entry.version_text} was installed with other content since this run was made",
                why=f"its digest is {entry.digest[:16]}..., the run was made with {digest[:16]}...",
                do="start a new run: the permits that the pipeline had with the other content are void for it",
            )
        return entry

    def _definition(self, entry: Installed) -> TaskDefinition:
        # what is known of a digest stays true; whether the files still have it is asked again by each step that runs them
        if (known := self._known.get(entry.digest)) is None:
            known = self._known[entry.digest] = definition_of(self.store.manifest(entry), entry.digest)
        return known


def definition_of(manifest: TaskManifest, digest: str = "") -> TaskDefinition:
    """What the compiler has to know of a package; a plan that names it is about this very content."""
    return TaskDefinition(
        reference=manifest.reference,
        id=manifest.id,
        inputs=manifest.inputs,
        outputs=manifest.outputs,
        runs_on=manifest.runs_on,
        handlers={one.value: tuple(each.kind for each in several) for one, several in manifest.executions.items()},
        demands=manifest.demands,
        deprecated=manifest.deprecated,
        multiple=manifest.multiple,
        package=f"{manifest.id}@{manifest.version_text}#{digest}"
        if digest
        else f"{manifest.id}@{manifest.version_text}",
        executions=tuple(one.value for one in manifest.executions) or ("main",),
    )
