"""Fixes the commits of a run's repositories: once, before the first job that checks one out.

Not before: until then the connection's stage has not passed its checkpoint.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sluice.errors import SluiceError
from sluice.hooks.manager import installed
from sluice.language.plan import Job, Plan, Repository, Step
from sluice.language.tasks import CHECKOUT
from sluice.runs.checkouts import COMMIT, PATH
from sluice.runs.identifiers import join
from sluice.runs.orchestrator import Orchestrator
from sluice.runs.predefined import origin_of
from sluice.runs.repositories import GIT_SECONDS, RepositoryOpener, git_for
from sluice.runs.timeline import parent
from sluice.runtime.cancellation import Cancellation
from sluice.runtime.environment import base_environment
from sluice.runtime.remote import Remote
from sluice.runtime.revisions import COMMIT as IS_COMMIT
from sluice.runtime.revisions import resolve
from sluice.storage import records, runs

OPTION = "repositories"
"""What a run's options keep of its repositories, by lower-case alias."""

TASK = "checkout"


def pin(orchestrator: Orchestrator, run_id: int, job_ids: Sequence[str]) -> None:
    """Find out and store the commits of repositories that these jobs check out and that have none yet.

    One whose connection is not permitted any more is left to its checkout; so is one whose server does not answer,
    since the checkout will tell that better.
    """
    with orchestrator.database.read() as transaction:
        plan = orchestrator.plan(transaction, run_id)
        if not plan.repositories:
            return
        run = runs.get(transaction, run_id)
        found_jobs = [records.get(transaction, run_id, job_id) for job_id in job_ids]
    phases = {parent(record.identifier) for record in found_jobs if record is not None}
    left = unpinned(plan, run.options.get(OPTION, {}), phases) if run is not None else []
    if run is None or not left:
        return
    opener = RepositoryOpener(
        store=orchestrator.store,
        clock=orchestrator.clock,
        project_id=run.project_id,
        pipeline_id=run.pipeline_id,
        pipeline=run.pipeline,
        actor=run.requested_by,
        rules=lambda: installed().repositories,
        run_id=run_id,
        origin=origin_of(run.options, run.pipeline),
    )
    found: dict[str, str] = {}
    for repository in left:
        with contextlib.suppress(SluiceError):
            found[repository.alias.casefold()] = _commit(orchestrator, opener, repository)
    if found:
        with orchestrator.database.write() as transaction:
            now = runs.get(transaction, run_id)
            if now is not None:
                known = {alias: {COMMIT: commit} for alias, commit in found.items()} | now.options.get(OPTION, {})
                runs.set_options(transaction, run_id, {**now.options, OPTION: known})


def unpinned(plan: Plan, known: Mapping[str, Mapping[str, Any]], jobs: Collection[str]) -> list[Repository]:
    """The repositories that jobs (`Stage.Job`) check out and that have neither a commit nor a folder."""
    wanted = {name.casefold() for name in _checked_out(plan, jobs)}
    return [
        each
        for each in plan.repositories
        if each.alias.casefold() in wanted
        and each.alias.casefold() != "self"
        and not {COMMIT, PATH} & known.get(each.alias.casefold(), {}).keys()
    ]


def _checked_out(plan: Plan, jobs: Collection[str]) -> Iterable[str]:
    for stage in plan.stages:
        for job in stage.jobs:
            for step in _steps(job) if join(stage.name, job.name) in jobs else ():
                if step.task.value == CHECKOUT:
                    yield step.inputs["repository"].value.strip()


def _steps(job: Job) -> Iterable[Step]:
    yield from job.steps
    for hook in job.deployment.hooks if job.deployment else ():
        yield from hook.steps


def _commit(orchestrator: Orchestrator, opener: RepositoryOpener, repository: Repository) -> str:
    if IS_COMMIT.match(repository.ref.strip()):
        return repository.ref.strip().lower()
    with opener.opened(repository, purpose=TASK) as (remote, _):
        folder = orchestrator.home.root
        if remote.tool == "svn":
            return _revision(orchestrator, remote, repository.ref)
        with git_for(remote, folder) as git:
            return resolve(git, remote, repository.ref)[0]


def _revision(orchestrator: Orchestrator, remote: Remote, ref: str) -> str:
    from sluice.runtime.svn_checkout import Svn, svn_revision

    cancellation = Cancellation()
    with tempfile.TemporaryDirectory() as settings, cancellation.deadline(GIT_SECONDS):
        svn = Svn(
            environ=base_environment(os.environ),
            cancellation=cancellation,
            cwd=orchestrator.home.root,
            settings=Path(settings),
            remote=remote,
        )
        return svn_revision(svn, ref)
