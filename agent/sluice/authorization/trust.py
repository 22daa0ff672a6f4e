"""How far a run is trusted: one of a pull request or a fork runs what strangers wrote. Pure."""

from __future__ import annotations

import enum
import re

from sluice.values import dataclass

_PULL_REQUEST = re.compile(r"refs/(pull|pull-requests|merge-requests)/.+")


class Trust(enum.StrEnum):
    """Whose changes a run runs."""

    TRUSTED = "trusted"
    PULL_REQUEST = "pull-request"
    FORK = "fork"


class Untrusted(enum.StrEnum):
    """Which untrusted runs a resource lets in: none, those of pull requests within the repository, of forks too."""

    NONE = "none"
    PULL_REQUESTS = "pull-requests"
    FORKS = "forks"

    def admits(self, trust: Trust) -> bool:
        """Whether a run of that trust may have the resource, as far as this goes."""
        if trust is Trust.TRUSTED or self is Untrusted.FORKS:
            return True
        return trust is Trust.PULL_REQUEST and self is Untrusted.PULL_REQUESTS


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOrigin:
    """Where a run comes from: the ref that it runs, how far it is trusted, and the name of its pipeline."""

    branch: str = ""
    trust: Trust = Trust.TRUSTED
    pipeline: str = ""


TRUSTED_RUN = RunOrigin()
"""A run of which nothing is known that would take trust away."""


def trust_of(branch: str, *, said: str = "", reason: str = "", is_fork: bool = False) -> Trust:
    """How far a run is trusted, by what is known of it; `said` is what the person says, and only takes trust away.

    Whether a checkout on this machine came from a fork cannot be told from the checkout itself.
    """
    if is_fork or said == Trust.FORK:
        return Trust.FORK
    if said == Trust.PULL_REQUEST or reason == "PullRequest" or is_pull_request(branch):
        return Trust.PULL_REQUEST
    return Trust.TRUSTED


def is_pull_request(branch: str) -> bool:
    """Whether a ref is that of a pull request, at any of the well-known hosts."""
    return _PULL_REQUEST.fullmatch(branch) is not None
