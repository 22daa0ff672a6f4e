"""Kinds of checks: what a plugin declares, what an evaluation is given, and what it answers.

A check is configured on a protected resource and evaluated before a stage that uses the resource starts. A kind of
check is a value with a function::

    from sluice.plugin import CheckRun, CheckType, Decision, Field, hookimpl


    def _evaluate(run: CheckRun) -> Decision:
        if run.facts.branch in run.setting("branches").split(","):
            return Decision.approved()
        return Decision.rejected(f"{run.facts.branch} is not allowed")


    @hookimpl
    def sluice_check_types() -> tuple[CheckType, ...]:
        return (CheckType("own-branches", "Own branches", _evaluate, fields=(Field("branches", "Branches"),)),)

Evaluations happen outside any database transaction and may ask the far side, briefly: an answer that takes long comes
through `callback`. Which checks are due, in which order, for how long a pass holds and what a time-out means for the
stage is not the kind's business: it declares `category`, `final` and `on_timeout`, and answers for `run.now`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, field
from datetime import datetime
from typing import Any, Literal, Protocol

from sluice.errors import NotFoundError, PluginError
from sluice.hooks.connection import Connection, Value
from sluice.hooks.declaration import Field
from sluice.secret import Secret
from sluice.values import dataclass

Category = Literal["system", "sanityChecks", "preChecks", "main", "postChecks", "final"]
"""`evaluationOrder`: checks of one category start when all of the categories before it have passed."""

CATEGORIES: tuple[Category, ...] = ("system", "sanityChecks", "preChecks", "main", "postChecks", "final")

TASK_CHECK = "fe1de3ee-a436-41b4-bb20-f6eb4cb879a7"
"""`type.id` of all checks that are told apart by their definition (`Task Check`)."""

MAX_MINUTES = 43_200
"""30 days: how long a check may wait at most, unless its kind says otherwise."""

_MACRO = re.compile(r"\$\(([^()\r\n]{1,400})\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What an evaluation says.

    `approved`: the check passes, up to the moment `until` where there is one (business hours end); otherwise for one
    retry interval, and for good where that is 0. `rejected`: it does not; that is the end of the stage where the kind
    is `final` or the retry interval is 0, else it is asked again after the interval. `waiting`: not yet; asked again
    at `until`, else after the retry interval, else when the callback came. `error`: the evaluation did not come about
    (no answer from the far side); tried again after the retry interval, the end where that is 0.
    """

    outcome: Literal["approved", "rejected", "waiting", "error"]
    message: str = ""
    until: datetime | None = None

    @classmethod
    def approved(cls, message: str = "", *, until: datetime | None = None) -> Decision:
        """The check passes, until that moment if one is given."""
        return cls(outcome="approved", message=message, until=until)

    @classmethod
    def rejected(cls, message: str) -> Decision:
        """The check does not pass; `message` says why to whoever looks at the run."""
        return cls(outcome="rejected", message=message)

    @classmethod
    def waiting(cls, message: str, *, until: datetime | None = None) -> Decision:
        """Not yet; `message` says what is waited for."""
        return cls(outcome="waiting", message=message, until=until)

    @classmethod
    def error(cls, message: str) -> Decision:
        """Whether the check passes could not be found out; `message` says why, without secrets."""
        return cls(outcome="error", message=message)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedResource:
    """A resource that the stage uses; `kind` as in REST: `endpoint`, `environment`, `variablegroup`, ..."""

    kind: str
    name: str
    id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedRepository:
    """A repository of the run: `self`, an entry of `resources.repositories`, or that of a `pipelines` resource's run.

    `branch` is a full ref (`refs/heads/main`), `''` when it is not known. `protected` says whether the branch has
    policies, None when that is not known. `endpoint` is the service connection that it is fetched through, if any.
    """

    alias: str
    type: str = "git"
    name: str = ""
    branch: str = ""
    commit: str = ""
    protected: bool | None = None
    endpoint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendedTemplate:
    """A template that the pipeline `extends`, the outermost first.

    `repository_type` is `git`, `github`, `githubenterprise` or `bitbucket`, `ref` a full ref, `path` as in the
    repository, with `/` and without a leading one.
    """

    repository_type: str
    repository_name: str
    ref: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedArtifact:
    """A container image (or another artifact) that the stage uses; `image` in full with its digest, where known."""

    alias: str
    image: str = ""
    type: str = ""
    url: str = ""
    digest: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckFacts:
    """The run and the stage that want to go on.

    `branch` and `commit` are those of `self`, `reason` is `Build.Reason` in its own spelling (`Manual`,
    `PullRequest`), `untrusted` is true for a run of a fork's or another not trusted author's code.
    """

    project: str
    pipeline: str
    run_id: int
    stage: str
    project_id: str = ""
    pipeline_id: int = 0
    run_name: str = ""
    plan_id: str = ""
    requester: str = ""
    reason: str = "Manual"
    branch: str = ""
    commit: str = ""
    untrusted: bool = False
    stage_name: str = ""
    attempt: int = 1
    resources: tuple[CheckedResource, ...] = ()
    repositories: tuple[LinkedRepository, ...] = ()
    extends: tuple[ExtendedTemplate, ...] = ()
    artifacts: tuple[CheckedArtifact, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluations:
    """What became of this check so far: when it began, how often it was evaluated, when and with what last."""

    started_at: datetime
    count: int = 0
    last_at: datetime | None = None
    last: Decision | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """Where the far side says how the check ended (REST `TaskCompleted`), and the token that it proves itself with.

    The token is good for this check of this attempt only, and only once. `headers` are the documented ones (`PlanUrl`,
    `ProjectId`, `HubName`, `PlanId`, `JobId`, `TaskInstanceId`), without `AuthToken`.
    """

    url: str
    token: Secret
    headers: Mapping[str, str] = field(default_factory=dict)


class Criteria(Protocol):
    """The language of success criteria: expressions over `root`, such as `eq(root['status'], 'ok')`."""

    def holds(self, criteria: str, root: Any) -> bool:
        """Whether a JSON value fulfils the criteria; raises `SluiceError` where they cannot be evaluated."""

    def problem(self, criteria: str) -> str:
        """Why the text is no such expression; `''` when it is one."""


class _NoCriteria:
    def holds(self, criteria: str, root: Any) -> bool:
        raise PluginError("success criteria cannot be evaluated here")

    def problem(self, criteria: str) -> str:
        return ""


def _no_connection(name: str) -> Connection:
    raise NotFoundError(f"there is no service connection '{name}' for this check")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRun:
    """One evaluation of one check.

    `resource` is what the check is configured on. `now` is an aware moment: an evaluation reads no clock. `callback`
    is None where nobody could call back (no server). `connection` opens a service connection, lazily: that is its use
    and written into its history. `variables` are the run's and those of the linked variable group.
    """

    facts: CheckFacts
    now: datetime
    resource: CheckedResource
    settings: Mapping[str, Value] = field(default_factory=dict)
    timeout: int = 0
    retry_interval: int = 0
    so_far: Evaluations | None = None
    variables: Mapping[str, Value] = field(default_factory=dict)
    connection: Callable[[str], Connection] = _no_connection
    callback: Callback | None = None
    criteria: Criteria = field(default_factory=_NoCriteria)

    def setting(self, key: str) -> str:
        """A public setting; `''` when it is not set. Asking for a secret one this way raises TypeError."""
        value = self.settings.get(key, "")
        if isinstance(value, Secret):
            raise TypeError(f"the setting '{key}' is secret: ask with secret()")
        return value

    def flag(self, key: str) -> bool:
        """True only for a setting whose value is `true`, ignoring case."""
        return self.setting(key).strip().casefold() == "true"

    def secret(self, key: str) -> Secret | None:
        """A secret setting, or None when it is not set."""
        value = self.settings.get(key)
        return value if isinstance(value, Secret) or value is None else Secret(value)

    def expand(self, text: str) -> str:
        """The text with `$(name)` replaced by public variables; unknown and secret ones stay as written."""
        return self._expand(text, lambda value: None if isinstance(value, Secret) else value)

    def expand_secret(self, text: str) -> Secret:
        """The text with `$(name)` replaced by variables, secret ones too."""
        return Secret(self._expand(text, lambda value: value.reveal() if isinstance(value, Secret) else value))

    def _expand(self, text: str, shown: Callable[[Value], str | None]) -> str:
        known = {name.casefold(): value for name, value in self.variables.items()}

        def replace(match: re.Match[str]) -> str:
            value = known.get(match[1].casefold())
            expanded = None if value is None else shown(value)
            return match[0] if expanded is None else expanded

        return _MACRO.sub(replace, text)


Evaluate = Callable[[CheckRun], Decision]
"""Evaluates a check for one moment. What it raises as a `SluiceError` counts as `Decision.error` with its text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposed:
    """A check as somebody wants to configure it: what `CheckType.problems` looks at."""

    settings: Mapping[str, Value]
    timeout: int
    retry_interval: int
    criteria: Criteria = field(default_factory=_NoCriteria)


def _no_problems(_: Proposed) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class CheckType:
    """A kind of check.

    `name` is how the command line calls it (`business-hours`), `label` how people read it. `type_id`, `type_name` and
    the definition are its REST identity. `timeout` and `retry_interval` (minutes) are the defaults, `max_timeout` the
    limit (0: none). `final`: a rejection ends the check whatever the retry interval. `on_timeout`: what becomes of the
    stage when the check did not pass in time. `bypassable`: an Administrator of the resource may bypass it while it
    runs. `problems` answers why a configuration is not accepted, beyond what the fields declare themselves.
    `record_type` is the type of its timeline record.
    """

    name: str
    label: str
    evaluate: Evaluate
    _: KW_ONLY
    summary: str = ""
    type_id: str = TASK_CHECK
    type_name: str = "Task Check"
    definition_id: str = ""
    definition_name: str = ""
    definition_version: str = ""
    category: Category = "main"
    fields: tuple[Field, ...] = ()
    timeout: int = 1440
    max_timeout: int = 0
    retry_interval: int = 0
    final: bool = False
    on_timeout: Literal["skipped", "failed"] = "failed"
    bypassable: bool = False
    record_type: str = "Checkpoint.TaskCheck"
    problems: Callable[[Proposed], tuple[str, ...]] = _no_problems

    def field(self, key: str) -> Field | None:
        """The declared setting of that key, ignoring case."""
        wanted = key.casefold()
        return next((one for one in self.fields if one.key.casefold() == wanted), None)
