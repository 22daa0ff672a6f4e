"""The repositories that a job checks out: those listed in the pipeline, those named in place, and those given. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sluice.language.plan import Plan, Step
from sluice.language.resources import connection_type_of
from sluice.language.tasks import CHECKOUT
from sluice.runtime.handlers.checkout import CONNECTION
from sluice.runtime.request import ConnectionInput, JobRepository, StepRequest

PATH = "path"
COMMIT = "commit"


def local(repositories: Mapping[str, Path]) -> dict[str, dict[str, str]]:
    """Checkouts that a person gave, by lower-case alias, as a run's options keep them."""
    return {alias.casefold(): {PATH: str(path.expanduser().absolute())} for alias, path in repositories.items()}


def pinned(commits: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Commits by lower-case alias, as a run's options keep them."""
    return {alias: {COMMIT: commit} for alias, commit in commits.items()}


def without_given(plan: Plan, repositories: Mapping[str, Path]) -> Plan:
    """The plan with no need of a connection for repositories that are given as checkouts."""
    given = {alias.casefold() for alias in repositories}
    if not given:
        return plan
    kept = tuple(
        replace(each, endpoint=None, given=True) if each.endpoint and each.alias.casefold() in given else each
        for each in plan.repositories
    )
    return replace(plan, repositories=kept)


def listed(plan: Plan, known: Mapping[str, Mapping[str, Any]]) -> tuple[JobRepository, ...]:
    """The pipeline's repositories; `known` is what the run's options have of them (a path, or a commit)."""
    return tuple(
        JobRepository(
            alias=each.alias,
            type=each.type,
            name=each.name,
            ref=each.ref,
            commit=str(known.get(each.alias.casefold(), {}).get(COMMIT, "")),
            endpoint=each.endpoint.value if each.endpoint else "",
            path=_path(known, each.alias),
            options=each.checkout_options,
        )
        for each in plan.repositories
    )


def with_named(
    repositories: Iterable[JobRepository], steps: Sequence[Step], known: Mapping[str, Mapping[str, Any]]
) -> tuple[JobRepository, ...]:
    """Together with those that the steps name in place: `git://project/repository@ref`."""
    found = {each.alias.casefold(): each for each in repositories}
    for step in steps:
        written = step.inputs["repository"].value.strip() if step.task.value == CHECKOUT else ""
        kind, separator, rest = written.partition("://")
        if separator and written.casefold() not in found:
            name, _, ref = rest.partition("@")
            places = (written, f"{kind}://{name}", name, name.rpartition("/")[2])
            path = next((path for place in places if (path := _path(known, place))), None)
            one = JobRepository(alias=written, type=kind.casefold(), name=name.strip("/"), ref=ref, path=path)
            found[written.casefold()] = one
    return tuple(found.values())


def opening(step: StepRequest, repositories: Iterable[JobRepository]) -> StepRequest:
    """The step as one that opens the connection of the repository that it checks out, if it is such a step."""
    alias = step.inputs.get("repository", "").strip().casefold()
    repository = next((each for each in repositories if each.alias.casefold() == alias), None)
    if repository is None or not repository.endpoint or repository.path is not None:
        return step
    asked = ConnectionInput(
        name=CONNECTION, written=CONNECTION, type=connection_type_of(repository.type), where=step.where
    )
    return replace(
        step,
        inputs={**step.inputs, CONNECTION: repository.endpoint},
        connection_inputs=(*step.connection_inputs, asked),
    )


def _path(known: Mapping[str, Mapping[str, Any]], alias: str) -> Path | None:
    text = known.get(alias.casefold(), {}).get(PATH)
    return Path(text) if text else None
