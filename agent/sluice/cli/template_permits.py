"""Templates of other repositories for the commands: through permitted connections, with the question where there is one."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

import click

from sluice.cli.installation import current_user, opened_store
from sluice.cli.output import plain

if TYPE_CHECKING:
    from sluice.language.plan import Repository
    from sluice.runs.compiling import PipelineFile
    from sluice.runs.orchestrator import Orchestrator
    from sluice.runs.predefined import Source
    from sluice.runs.repositories import RepositoryOpener, RepositoryPendingError
    from sluice.runs.template_repositories import TemplateRepositories
    from sluice.storage.engine import Transaction
    from sluice.storage.pipelines import Pipeline

T = TypeVar("T")


def templates_of(orchestrator: Orchestrator, identify: Callable[[], Pipeline], source: Source) -> TemplateRepositories:
    """Templates for a run that this person is about to make; `identify` tells of which pipeline, 0 when it is new."""
    from sluice.runs.template_repositories import templates_for

    return templates_for(orchestrator, identify, source, actor=current_user())


class LookedAt:
    """Templates for a pipeline that is only looked at: the installation is opened when one is needed, not before."""

    def __init__(self, file: PipelineFile, project: str = "default") -> None:
        self._file = file
        self._project = project
        self._files: TemplateRepositories | None = None

    def read(self, repository: Repository, path: str) -> bytes:
        """The file at a path of a repository; see `sluice.language.templates.Files`."""
        if self._files is None:
            from sluice.runs.template_repositories import TemplateRepositories, cache_in
            from sluice.storage.home import Home

            self._files = TemplateRepositories(opener=self._opener, cache=lambda: cache_in(Home.find()), looking=True)
        return self._files.read(repository, path)

    def require(self, repository: Repository) -> None:
        """Nobody is asked before a run is to be made; see `sluice.runs.source.OtherFiles`."""

    @contextlib.contextmanager
    def _opener(self) -> Iterator[RepositoryOpener]:
        from sluice.runs.repositories import UNREGISTERED
        from sluice.runs.template_repositories import opener_of
        from sluice.storage import pipelines, projects

        with opened_store() as store:
            with store.database.read() as transaction:
                home = projects.find(transaction, self._project)
                known = pipelines.by_source(transaction, home.id, str(self._file.path))
            name = known.name if known else self._file.name
            number = known.id if known else UNREGISTERED
            yield opener_of(store, time.time, home.id, number, name, self._file.source, actor=current_user())


def permitting(
    work: Callable[[], T],
    orchestrator: Orchestrator,
    register: Callable[[Transaction], Pipeline],
    *,
    permits: Sequence[str],
    asks: bool,
) -> T:
    """Compile, and again after each Permit that was given beforehand (by name), or that the person gives now.

    Such a Permit is stored at once, since it is used at once; a pipeline that is new is registered with it.
    """
    from sluice.connections.guard import require_permit
    from sluice.runs.repositories import RepositoryPendingError
    from sluice.storage import permissions
    from sluice.storage.names import name_key

    given = {name_key(name) for name in permits}
    while True:
        try:
            return work()
        except RepositoryPendingError as pending:
            named = {name_key(pending.name), name_key(pending.resource.id)} & given
            if not named and not (asks and _permits(pending)):
                with orchestrator.database.write() as transaction:
                    register(transaction)  # it has to be known to be permitted
                raise
            with orchestrator.database.write() as transaction:
                pipeline = register(transaction)
                guard = orchestrator.store.guard
                require_permit(guard, transaction, pending.resource, pending.name, pipeline.id)
                permissions.grant(
                    transaction, pending.resource, pipeline.id, by=current_user(), at=orchestrator.clock()
                )


def _permits(pending: RepositoryPendingError) -> bool:
    from sluice.authorization import texts

    place = f"  {pending.where}" if pending.where else ""
    click.echo(f"\n{pending.what}\n{texts.PANEL_TITLE}", err=True)
    label = texts.TYPE_LABELS[pending.resource.type]
    click.echo(f"  {label} '{plain(pending.name)}'{plain(place)}  {texts.PERMISSION_NEEDED}", err=True)
    click.echo(f"  {plain(pending.why)}", err=True)
    click.echo(texts.permit_question(pending.resource.type, plain(pending.name)), err=True)
    return click.confirm(texts.PERMIT_TITLE, err=True)
