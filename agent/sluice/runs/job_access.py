"""The port between the jobs of runs and a server: where it is, and what a job shows to it."""

from __future__ import annotations

from typing import Protocol

from sluice.runs.predefined import plan_id
from sluice.runtime.predefined import SERVER_ADDRESSES
from sluice.secret import Secret
from sluice.storage.engine import Transaction

ACCESS_TOKEN = "System.AccessToken"  # noqa: S105  # a variable's name

HUB = "build"
"""What the service calls the part of it that runs pipelines."""


class JobAccess(Protocol):
    """Lets jobs speak to the server, each with a token of its own."""

    @property
    def url(self) -> str:
        """The address of the organization, with a slash at the end."""

    def issue(self, transaction: Transaction, run_id: int, job_id: str) -> Secret:
        """A token of a job, good as long as it runs; stored with the transaction that starts the job."""


def addresses(access: JobAccess, *, project_id: str, run_id: int, job_id: str) -> dict[str, str]:
    """The variables that say where the server is, and where a job asks for identity tokens; the project by its GUID."""
    plan = plan_id(run_id)
    tokens = f"{access.url}{project_id}/_apis/distributedtask/hubs/{HUB}/plans/{plan}/jobs/{job_id}/oidctoken"
    return {**dict.fromkeys(SERVER_ADDRESSES, access.url), "System.OidcRequestUri": tokens}
