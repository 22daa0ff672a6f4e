"""`sluice run --watch`: run, wait for a change, run again.

A change while a run goes on does not end that run: it is over first, and then the next one begins at once. Ctrl-C
cancels the run that goes on; pressed again, or while nothing runs, it ends the watching.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sluice.cli.output import plain
from sluice.cli.reporting import tell
from sluice.cli.session import opened_orchestrator
from sluice.errors import ExitCode, PipelineError, SluiceError
from sluice.runs.watched import Look, Watched, changes

if TYPE_CHECKING:
    from sluice.cli.driving import Driven, Manner
    from sluice.cli.run import RunRequest

LOOK_SECONDS: Final = 0.5
"""Seconds between two looks at the files; more where a look takes long."""

SETTLE_SECONDS: Final = 0.2
"""So long nothing must change before a run begins: an editor, or a `git checkout`, writes several files."""

_OWN_RUNS: Final = 2
"""So many runs after another change the same files until these count as written by the runs themselves."""

_SHOWN: Final = 3


def watch_and_run(asked: RunRequest, manner: Manner) -> ExitCode:
    """Run the pipeline, and again after each change, until a person ends it; answers the last run's exit status.

    Raises what the first run raises, unless it is that the pipeline does not compile.
    """
    watched = _watched(asked)
    return Watching(watched, lambda: _run(asked, manner)).go()


def _run(asked: RunRequest, manner: Manner) -> Driven:
    from sluice.cli.driving import drive_on
    from sluice.cli.run import create_run

    with opened_orchestrator() as orchestrator:
        return drive_on(orchestrator, create_run(orchestrator, asked).id, manner)


def _watched(asked: RunRequest) -> Watched:
    from sluice.runs.compiling import place_of
    from sluice.runs.source import find_root
    from sluice.storage.home import Home

    file = place_of(asked.file)
    others = [path.expanduser().absolute() for path in asked.repositories.values()]
    return Watched(file=file, roots=(find_root(file), *others), private=Home.find().root)


class Watching:
    """The loop: `run` makes and drives a run. `pause` sleeps, and is where Ctrl-C comes in while nothing runs."""

    def __init__(
        self, watched: Watched, run: Callable[[], Driven], *, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._watched = watched
        self._run = run
        self._pause = pause
        self._status: ExitCode | None = None
        self._seconds = LOOK_SECONDS
        self._own: frozenset[str] = frozenset()
        self._repeated = 0

    def go(self) -> ExitCode:
        """Run and watch until a person ends it."""
        try:
            while True:
                before = self._look()
                if self._run_once():
                    break
                after = self._look()
                changed = changes(before, after)
                if changed and not self._are_own(changed):
                    self._announce(f"{_listed(changed)} changed meanwhile")
                    self._settled()
                    continue
                if changed:
                    self._announce(f"{_listed(changed)}: each run writes that, so it starts none (let git ignore it)")
                self._own, self._repeated = frozenset(), 0
                self._announce(f"{_listed(self._next_changes(after))} changed")
        except KeyboardInterrupt:
            self._announce("Watching is over.", blank=True)
        return self._status or ExitCode.SUCCEEDED

    def _are_own(self, changed: frozenset[str]) -> bool:
        """Whether files that changed during a run are what each run writes anew: no reason for the next one."""
        self._repeated = self._repeated + 1 if changed <= self._own else 0
        self._own = changed
        return self._repeated >= _OWN_RUNS

    def _run_once(self) -> bool:
        """Run; whether that was the last time. A pipeline that does not compile is told, and watched on."""
        try:
            driven = self._run()
        except SluiceError as error:
            if self._status is None and not isinstance(error, PipelineError):
                raise
            tell(error)
            self._status = error.exit_code
            return False
        except KeyboardInterrupt:  # before the run began, or when it was just over
            self._status = ExitCode.CANCELED
            raise
        self._status = driven.status
        return driven.ends

    def _next_changes(self, before: Look) -> frozenset[str]:
        """Wait for a change since that look, and until nothing changes any more; answers what did."""
        self._announce(f"Watching {len(before)} files. Ctrl-C ends it.", blank=True)
        while True:
            self._pause(self._seconds)
            if changed := changes(before, self._look()):
                return changed | changes(before, self._settled())

    def _settled(self) -> Look:
        """The files once they lie still."""
        look = self._look()
        while True:
            self._pause(SETTLE_SECONDS)
            again = self._look()
            if not changes(look, again):
                return again
            look = again

    def _look(self) -> Look:
        begun = time.monotonic()
        look = self._watched.look()
        self._seconds = max(LOOK_SECONDS, 10 * (time.monotonic() - begun))
        return look

    def _announce(self, text: str, *, blank: bool = False) -> None:
        sys.stderr.write(f"{chr(10) if blank else ''}{plain(text)}\n")
        sys.stderr.flush()


def _listed(paths: Collection[str]) -> str:
    """The first few of the files, as they are called from here."""
    names: Sequence[str] = sorted(_short(Path(path)) for path in paths)
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _short(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
