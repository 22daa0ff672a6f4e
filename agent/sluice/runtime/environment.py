"""The environment that a step's process gets."""

from __future__ import annotations

from collections.abc import Mapping

from sluice.runtime.job_state import JobState
from sluice.runtime.orphans import LOOKUP_VARIABLE, lookup_id
from sluice.runtime.place import HOST, Place

_OWN_PREFIX = "SLUICE_"
_CALLERS = frozenset(
    [
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_PREFIX",
        "GIT_COMMON_DIR",
        "GIT_NAMESPACE",
    ]
)


def base_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What of our own environment goes on to processes.

    Not Sluice's settings, among which may be the master key, the database's password and where all of it lies; and not
    what a git hook that started us was told, since it is about another repository.
    """
    return {name: value for name, value in environ.items() if not name.startswith(_OWN_PREFIX) and name not in _CALLERS}


def step_environment(job: JobState, written: Mapping[str, str], place: Place = HOST) -> dict[str, str]:
    """The host's environment, the step's `env:`, the public variables and `PATH`; later ones win, as on the agent.

    In a container its own environment stands for the host's, and it adds what its `PATH` lacks when a process starts.
    """
    if place.contained:
        return _contained(job, written, place)
    environment = {**job.environ, **job.workspace.tool_settings(job.environ), **written}
    environment.update(job.variables.environment())
    environment["agent.jobstatus"] = job.status.value
    path = job.variables.get("PATH")
    base = path if isinstance(path, str) else written.get("PATH", job.environ.get("PATH", ""))
    environment["PATH"] = job.path(base)
    environment["TF_BUILD"] = "True"
    # By this the processes of the job are found when it ends.
    environment[LOOKUP_VARIABLE] = lookup_id(job.request)
    return environment


def _contained(job: JobState, written: Mapping[str, str], place: Place) -> dict[str, str]:
    environment = {**job.workspace.tool_settings({}), **written, **job.variables.environment()}
    environment["agent.jobstatus"] = job.status.value
    environment["TF_BUILD"] = "True"
    environment[LOOKUP_VARIABLE] = lookup_id(job.request)
    return {name: place.inner(value) for name, value in environment.items()}
