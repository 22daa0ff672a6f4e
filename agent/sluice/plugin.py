"""All that a plugin may import: the words to declare with, what handlers receive, and the errors to raise.

A plugin is a module named by an entry point of the group `sluice`. The smallest one declares a connection type::

    from sluice.plugin import ConnectionType, Family, Field, Scheme, hookimpl

    DEPOT = ConnectionType(
        "acme",
        "Acme depot",
        schemes=(Scheme("Token", "Token", (Field("apitoken", "API token", secret=True),)),),
    )


    @hookimpl
    def sluice_family() -> Family:
        return Family(types=(DEPOT,))

Keep a third-party library out of the module's top: import it inside the function that needs it, so that listing
plugins is quick and works without it.
"""

from __future__ import annotations

from sluice.errors import (
    CanceledError,
    SluiceError,
    TaskFailedError,
    TrustNeededError,
    VerificationError,
)
from sluice.hooks.arguments import split_arguments
from sluice.hooks.checks import (
    Callback,
    CheckedArtifact,
    CheckedResource,
    CheckFacts,
    CheckRun,
    CheckType,
    Criteria,
    Decision,
    Evaluations,
    ExtendedTemplate,
    LinkedRepository,
    Proposed,
)
from sluice.hooks.connection import Connection
from sluice.hooks.declaration import ConnectionType, Family, Field, Input, Renewal, Scheme, Task, Url
from sluice.hooks.observation import RunEvent
from sluice.hooks.ports import KeyProvider, Lease, Reading, SecretSource, SecretStore
from sluice.hooks.probe import Answer, Probe, check_host
from sluice.hooks.repository import Login, RepositoryRule, SourceRepository, basic
from sluice.hooks.spec import hookimpl
from sluice.hooks.task_run import TaskRun
from sluice.hooks.token_endpoint import TokenEndpoint
from sluice.hooks.watched import Tls
from sluice.secret import Secret

__all__ = [
    "Answer",
    "Callback",
    "CanceledError",
    "CheckFacts",
    "CheckRun",
    "CheckType",
    "CheckedArtifact",
    "CheckedResource",
    "Connection",
    "ConnectionType",
    "Criteria",
    "Decision",
    "Evaluations",
    "ExtendedTemplate",
    "Family",
    "Field",
    "Input",
    "KeyProvider",
    "Lease",
    "LinkedRepository",
    "Login",
    "Probe",
    "Proposed",
    "Reading",
    "Renewal",
    "RepositoryRule",
    "RunEvent",
    "Scheme",
    "Secret",
    "SecretSource",
    "SecretStore",
    "SluiceError",
    "SourceRepository",
    "Task",
    "TaskFailedError",
    "TaskRun",
    "Tls",
    "TokenEndpoint",
    "TrustNeededError",
    "Url",
    "VerificationError",
    "basic",
    "check_host",
    "hookimpl",
    "split_arguments",
]
