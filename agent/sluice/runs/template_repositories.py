"""Templates of other repositories: each fetched once for a compilation, at the commit that its ref means then."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field

from sluice.errors import NotPermittedError
from sluice.language.plan import Repository
from sluice.language.resources import is_own
from sluice.runs.repositories import RepositoryOpener, RepositoryPendingError, git_for
from sluice.runs.repository_cache import Fetched, RepositoryCache
from sluice.runtime.remote import Remote
from sluice.values import dataclass

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
