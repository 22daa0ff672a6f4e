"""Evaluates a stored check for a run that somebody makes up: really asked, and nothing of it kept."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from sluice.authorization.checks import suite
from sluice.authorization.checks.model import Covered
from sluice.hooks.checks import Callback, CheckedResource, CheckFacts, Decision, LinkedRepository
from sluice.rights import Right
from sluice.runs import suites
from sluice.runs.check_facts import (
    RunSource,
    container_images,
    extended_templates,
    full_ref,
    linked_repositories,
)
from sluice.runs.checking import ask, open_secrets, run_for
from sluice.secret import Secret
from sluice.storage import projects
from sluice.storage.usage import Use
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.connections.guard import Guard
    from sluice.language.plan import Plan
    from sluice.runs.check_configuring import On
    from sluice.runs.orchestrator import Orchestrator
    from sluice.storage.check_configurations import ConfigurationRow

TASK = "simulate"


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeUp:
    """A run that there is not. `at` is seconds since the epoch; with a `plan` its templates and images are known."""

    requester: str
    at: float
    branch: str = ""
    pipeline: str = "made-up"
    stage: str = "Deploy"
    reason: str = "Manual"
    untrusted: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)
    plan: Plan | None = None
    source: RunSource = field(default_factory=RunSource)


def simulate(orchestrator: Orchestrator, row: ConfigurationRow, on: On, made_up: MadeUp, guard: Guard) -> Decision:
    """What the check says to that run. Takes the right to manage the resource's checks: its secrets are used."""
    with orchestrator.database.write() as transaction:
        guard.require(transaction, Right.MANAGE_CHECKS, on.resource, on.name)
        project = projects.get(transaction, row.project_id)
        secrets = open_secrets(orchestrator, transaction, row.id, row.version)
    covered = Covered(kind=row.resource_type, id=row.resource_id, name=on.name)
    kind = orchestrator.kinds().find(row.kind)
    check = suite.new_check(suites.configuration_of(row), covered, kind, check_id=str(uuid.uuid4()), now=made_up.at)
    use = Use(
        project_id=row.project_id,
        actor=guard.actor.name,
        step_id=check.id,
        step=f"{check.label} check",
        task=TASK,
    )
    given = run_for(
        orchestrator,
        _facts(made_up, on, project),
        check,
        now=made_up.at,
        secrets=secrets,
        variables=_variables(made_up, project),
        use=use,
        callback=Callback(url="", token=Secret(uuid.uuid4().hex)),
    )
    return ask(orchestrator, row.kind, given)


def _facts(made_up: MadeUp, on: On, project: projects.Project) -> CheckFacts:
    branch = full_ref(made_up.branch) if made_up.branch else made_up.source.branch
    source = RunSource(
        name=made_up.source.name,
        provider=made_up.source.provider,
        branch=branch,
        commit=made_up.source.commit,
        known=made_up.source.known,
    )
    plan = made_up.plan
    own = (LinkedRepository(alias="self", type=source.type, name=source.name, branch=branch),)
    return CheckFacts(
        project=project.name,
        project_id=project.guid,
        pipeline=made_up.pipeline,
        run_id=0,
        run_name="made-up",
        requester=made_up.requester,
        reason=made_up.reason,
        branch=branch,
        commit=source.commit,
        untrusted=made_up.untrusted,
        stage=made_up.stage,
        stage_name=made_up.stage,
        resources=(CheckedResource(kind=on.resource.type, name=on.name, id=on.resource.id),),
        repositories=linked_repositories(plan, source) if plan else own,
        extends=extended_templates(plan, source) if plan else (),
        artifacts=container_images(plan) if plan else (),
    )


def _variables(made_up: MadeUp, project: projects.Project) -> dict[str, str]:
    """What `$(name)` stands for: the predefined ones that a made-up run can have, and those given."""
    return {
        "Build.BuildId": "0",
        "Build.BuildNumber": "made-up",
        "Build.DefinitionName": made_up.pipeline,
        "Build.Reason": made_up.reason,
        "Build.RequestedFor": made_up.requester,
        "Build.SourceBranch": full_ref(made_up.branch) if made_up.branch else made_up.source.branch,
        "Build.SourceVersion": made_up.source.commit,
        "System.StageName": made_up.stage,
        "System.TeamProject": project.name,
        "System.TeamProjectId": project.guid,
        **made_up.variables,
    }
