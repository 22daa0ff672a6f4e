"""Jobs on this machine, agentless ones among them: one thread a job, as many at once as there are cores (two at least)."""

from __future__ import annotations

import contextlib
import os
import platform
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.dispatch.port import Ended
from sluice.hooks.declaration import Task
from sluice.runtime.cancellation import Cancellation
from sluice.runtime.events import Emit
from sluice.runtime.job import run_job, run_server_job
from sluice.runtime.keeping import Keeper
from sluice.runtime.request import ConnectionSource, JobRequest
from sluice.runtime.secure_files import SecureFileSource
from sluice.runtime.spare_homes import SpareHomes

if TYPE_CHECKING:
    from sluice.dispatch.turns import Turns
    from sluice.runtime.breakpoints import Breakpoints
    from sluice.runtime.packages.execution import Packages

DEFAULT_JOBS = max(2, os.cpu_count() or 2)
"""How many jobs run at once unless something else is asked for."""


class LocalDispatcher:
    """Runs jobs in threads of this process; their steps are processes in groups of their own.

    `jobs` bounds the jobs of this dispatcher, `turns` those of all that share them; agentless ones need no turn.
    """

    def __init__(
        self,
        find_task: Callable[[str], Task | None],
        *,
        jobs: int = DEFAULT_JOBS,
        packages: Callable[[], Packages] | None = None,
        breakpoints: Breakpoints | None = None,
        turns: Turns | None = None,
    ) -> None:
        self._find_task = find_task
        self._breakpoints = breakpoints
        self._packages = packages
        self._jobs = jobs
        self._turns = turns
        self._active: dict[str, Cancellation] = {}
        self._homes: dict[Path, SpareHomes] = {}
        self._lock = threading.Lock()

    @property
    def place(self) -> str:
        return platform.node() or "localhost"

    def room(self) -> int:
        with self._lock:
            room = self._jobs - len(self._active)
        return room if self._turns is None else min(room, self._turns.free)

    def start(
        self,
        request: JobRequest,
        *,
        emit: Emit,
        connections: ConnectionSource,
        secure_files: SecureFileSource | None = None,
        ended: Callable[[Ended], None],
        canceled: bool = False,
        keeper: Keeper | None = None,
    ) -> None:
        cancellation = Cancellation()
        if canceled:
            cancellation.cancel()
        with self._lock:
            self._active[request.id] = cancellation
            homes = self._homes.setdefault(request.work, SpareHomes(request.work))

        def work() -> None:
            defect: BaseException | None = None
            try:
                if request.server:
                    run_server_job(
                        request,
                        emit=emit,
                        connections=connections,
                        find_task=self._find_task,
                        cancellation=cancellation,
                    )
                    return
                with self._turns.taken() if self._turns else contextlib.nullcontext():
                    run_job(
                        request,
                        emit=emit,
                        connections=connections,
                        secure_files=secure_files,
                        find_task=self._find_task,
                        packages=self._packages() if self._packages is not None else None,
                        breakpoints=self._breakpoints,
                        cancellation=cancellation,
                        keeper=keeper,
                        homes=homes,
                    )
            except BaseException as error:  # noqa: BLE001  # a defect ends its job alone and is told to the run
                defect = error
            finally:
                with self._lock:
                    del self._active[request.id]
                ended(Ended(job=request.id, defect=defect))

        threading.Thread(target=work, name=f"job {request.identifier}", daemon=True).start()

    def active(self) -> frozenset[str]:
        with self._lock:
            return frozenset(self._active)

    def cancel(self, job: str, reason: str = "") -> None:
        if cancellation := self._cancellation(job):
            cancellation.cancel(reason)

    def kill(self, job: str, reason: str = "") -> None:
        if cancellation := self._cancellation(job):
            cancellation.kill(reason)

    def _cancellation(self, job: str) -> Cancellation | None:
        with self._lock:
            return self._active.get(job)
