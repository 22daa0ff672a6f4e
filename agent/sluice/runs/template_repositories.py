"""Templates of other repositories: each fetched once for a compilation, at the commit that its ref means then."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field

from sluice.authorization.trust import RunOrigin
from sluice.connections.store import ConnectionStore
from sluice.errors import NotPermittedError
from sluice.language.plan import Repository
from sluice.language.resources import is_own
from sluice.runs.orchestrator import Orchestrator
from sluice.runs.predefined import Source
from sluice.runs.repositories import UNREGISTERED, RepositoryOpener, RepositoryPendingError, git_for
from sluice.runs.repository_cache import Fetched, RepositoryCache
from sluice.runtime.remote import Remote
from sluice.storage.home import Home
from sluice.storage.pipelines import Pipeline
from sluice.values import dataclass

FOLDER = "repositories"
"""Where clones lie in the state folder."""

TASK = "templates"
"""What the usage history shows as the task."""


@dataclass(kw_only=True)
class TemplateRepositories:
    """Reads templates through service connections; `opener` is asked when the first repository is needed.

    When `looking`, no run is to be made: a missing Permit is then a problem of the pipeline like others.
    """

    opener: Callable[[], contextlib.AbstractContextManager[RepositoryOpener]]
    cache: Callable[[], RepositoryCache]
    looking: bool = False
    _fetched: dict[str, tuple[Fetched, Remote]] = field(default_factory=dict)

    def read(self, repository: Repository, path: str) -> bytes:
        """The file at a path of a repository; see `sluice.language.templates.Files`."""
        key = repository.alias.casefold()
        if key not in self._fetched:
            self._fetched[key] = self._fetch(repository)
        fetched, remote = self._fetched[key]
        cache = self.cache()
        with git_for(remote, cache.root) as git:
            return cache.read(git, fetched, path)

    def require(self, repository: Repository) -> None:
        """See `sluice.runs.source.OtherFiles`. Who only looks at a pipeline is not asked: `explain` tells it."""
        if self.looking or not is_own(repository):
            return
        with self.opener() as opener:
            opener.require(repository)

    @property
    def commits(self) -> Mapping[str, str]:
        """The commits that were read, by lower-case alias: the run is about these."""
        return {alias: fetched.commit for alias, (fetched, _) in self._fetched.items()}

    def _fetch(self, repository: Repository) -> tuple[Fetched, Remote]:
        cache = self.cache()
        with self._opened(repository) as (remote, owner), git_for(remote, cache.root) as git:
            return cache.fetch(git, remote, repository.ref, owner=owner), remote

    @contextlib.contextmanager
    def _opened(self, repository: Repository) -> Iterator[tuple[Remote, str]]:
        with self.opener() as opener:
            try:
                with opener.opened(repository, purpose=TASK) as opened:
                    yield opened
            except RepositoryPendingError as pending:
                if not self.looking:
                    raise
                raise NotPermittedError(
                    f"this pipeline needs permission to use the {pending.label} '{pending.name}'",
                    where=pending.where,
                    do=f"{pending.do}; or name a checkout: --repository {repository.alias}=PATH",
                ) from None


def templates_for(
    orchestrator: Orchestrator, identify: Callable[[], Pipeline], source: Source, *, actor: str, looking: bool = False
) -> TemplateRepositories:
    """Templates for a run of `source` that is about to be made; `identify` tells of which pipeline, 0 when it is new."""

    @contextlib.contextmanager
    def opener() -> Iterator[RepositoryOpener]:
        pipeline = identify()
        number = pipeline.id or UNREGISTERED
        store, clock = orchestrator.store, orchestrator.clock
        yield opener_of(store, clock, pipeline.project_id, number, pipeline.name, source, actor=actor)

    return TemplateRepositories(opener=opener, cache=lambda: cache_in(orchestrator.home), looking=looking)


def opener_of(
    store: ConnectionStore,
    clock: Callable[[], float],
    project_id: int,
    pipeline_id: int,
    pipeline: str,
    source: Source,
    *,
    actor: str,
) -> RepositoryOpener:
    """What opens the connections of repositories for a pipeline."""
    from sluice.hooks.manager import installed

    return RepositoryOpener(
        store=store,
        clock=clock,
        project_id=project_id,
        pipeline_id=pipeline_id,
        pipeline=pipeline,
        actor=actor,
        rules=lambda: installed().repositories,
        origin=RunOrigin(branch=source.branch, trust=source.trust, pipeline=pipeline),
    )


def cache_in(home: Home) -> RepositoryCache:
    """The clones of an installation."""
    return RepositoryCache(home.root / FOLDER)
