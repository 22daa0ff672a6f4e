"""What becomes of a pipeline's permits when a task that it runs was installed with other content."""

from __future__ import annotations

from sluice.language.plan import Plan
from sluice.language.tasks import split_package
from sluice.storage import permissions, runs
from sluice.storage.engine import Transaction
from sluice.storage.pipelines import Pipeline


def void_permits(transaction: Transaction, plan: Plan, pipeline: Pipeline, *, by: str, at: float) -> list[str]:
    """Take the pipeline's own permits away when a version of a task has other content than in its last run.

    Whoever permitted a pipeline to use a connection permitted the code that gets it. Answers these tasks, as
    `Name@Major.Minor.Patch`; none when there was nothing to take away.
    """
    changed = [
        f"{name}@{version}"
        for name, version, package in _packages(plan)
        if _is_another(transaction, pipeline.id, package)
    ]
    if not changed or not permissions.revoke_of_pipeline(transaction, pipeline.project_id, pipeline.id, by=by, at=at):
        return []
    return changed


def _packages(plan: Plan) -> list[tuple[str, str, str]]:
    """Each package that the plan names, with the task's name and version."""
    found = {step.package: step.task.value.partition("@")[0] for step in plan.steps() if "#" in step.package}
    return [(name, split_package(package)[1], package) for package, name in found.items()]


def _is_another(transaction: Transaction, pipeline_id: int, package: str) -> bool:
    version, _, digest = package.rpartition("#")
    text = runs.newest_plan_with(transaction, pipeline_id, f'"{version}#')
    if text is None:
        return False
    known = text.partition(f'"{version}#')[2].partition('"')[0]
    return known != digest
