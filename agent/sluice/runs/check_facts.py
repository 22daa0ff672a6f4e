"""What checks are told of a run: its repositories, the templates that it extends, its container images. Pure.

A repository that is taken from a folder of this machine (`--repository NAME=PATH`) is not the one that the pipeline
names: what is checked out there, and from where, is not known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any

from sluice.authorization.trust import Trust
from sluice.hooks.checks import CheckedArtifact, CheckedResource, CheckFacts, ExtendedTemplate, LinkedRepository
from sluice.language.plan import Container, Plan, Repository, Text
from sluice.language.tasks import CHECKOUT
from sluice.language.tree import SELF
from sluice.runs.checkouts import PATH
from sluice.runs.predefined import origin_of
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.authorization.checks.model import Suite
    from sluice.storage.projects import Project
    from sluice.storage.runs import RunRow

DEFAULT_REF = "refs/heads/main"
_PROVIDERS = {"github": "github", "githubenterprise": "githubenterprise", "bitbucket": "bitbucket"}
LOCAL = "local"
"""The type of a repository that is a folder of this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSource:
    """Where a run's own repository is, and what is known of its others, by lower-case alias."""

    name: str = ""
    provider: str = "Git"
    branch: str = ""
    commit: str = ""
    known: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def type(self) -> str:
        """The repository's type, as `resources.repositories` would have it."""
        return _PROVIDERS.get(self.provider.casefold(), "git")

    def is_folder(self, alias: str) -> bool:
        """Whether a repository of the pipeline is taken from a folder."""
        return bool(self.known.get(alias.casefold(), {}).get(PATH))


def facts_of(run: RunRow, suite: Suite, plan: Plan, project: Project) -> CheckFacts:
    """The run and the stage whose checks are evaluated."""
    variables = variables_of(run.options)
    known = {name.casefold(): value for name, value in variables.items()}
    source = source_of(run.options)
    stage = next((one for one in plan.stages if one.name == suite.stage), None)
    return CheckFacts(
        project=project.name,
        project_id=project.guid,
        pipeline=run.pipeline,
        pipeline_id=run.pipeline_id,
        run_id=run.id,
        run_name=run.name,
        plan_id=known.get("system.planid", ""),
        requester=run.requested_by,
        reason=known.get("build.reason", "Manual"),
        branch=source.branch,
        commit=source.commit,
        untrusted=origin_of(run.options).trust is not Trust.TRUSTED,
        stage=suite.stage,
        stage_name=stage.display_name if stage else "",
        attempt=suite.attempt,
        resources=tuple(CheckedResource(kind=one.kind, name=one.name, id=one.id) for one in suite.resources),
        repositories=linked_repositories(plan, source),
        extends=extended_templates(plan, source),
        artifacts=container_images(plan),
    )


def variables_of(options: Mapping[str, Any]) -> dict[str, str]:
    """The root variables of a run, public as they all are: `$(name)` in a check stands for one of them."""
    return {str(name): str(value) for name, value, *_ in options.get("variables", ())}


def source_of(options: Mapping[str, Any]) -> RunSource:
    """The source of a run by the options that it is stored with."""
    variables = {name.casefold(): value for name, value in variables_of(options).items()}
    return RunSource(
        name=variables.get("build.repository.name", ""),
        provider=variables.get("build.repository.provider", "Git"),
        branch=str(options.get("branch", "")),
        commit=str(options.get("version", "")),
        known=options.get("repositories", {}),
    )


def linked_repositories(plan: Plan, source: RunSource) -> tuple[LinkedRepository, ...]:
    """`self`, the repositories of the resources, those that steps name in place, and those of `pipelines`."""
    own = LinkedRepository(alias=SELF, type=source.type, name=source.name, branch=source.branch, commit=source.commit)
    pipelines = (
        LinkedRepository(alias=each.alias, type="pipeline")  # which run it is, and so its branch, is not known
        for each in plan.resources
        if each.kind == "pipeline"
    )
    listed = {each.alias.casefold(): each for each in plan.repositories}
    for each in _named_in_place(plan):
        listed.setdefault(each.alias.casefold(), each)
    listed.pop(SELF, None)
    return (own, *(_linked(each, source) for each in listed.values()), *pipelines)


def extended_templates(plan: Plan, source: RunSource) -> tuple[ExtendedTemplate, ...]:
    """The chain of templates that the pipeline extends, the outermost first."""
    return tuple(_extended(each.repository, each.path, source) for each in plan.extended)


def container_images(plan: Plan) -> tuple[CheckedArtifact, ...]:
    """Every container image of the run: of the resources, and those that jobs name in place."""
    listed = {each.alias.casefold(): each for each in plan.containers}
    images = [_artifact(each) for each in plan.containers]
    for stage in plan.stages:
        for job in stage.jobs:
            named = [job.container, *job.services.values()]
            images.extend(_artifact(one) for one in named if isinstance(one, Container))
            # what is no alias is the image itself
            texts = (one.value.strip() for one in named if isinstance(one, Text))
            images.extend(
                CheckedArtifact(alias="", image=one, type="container")
                for one in texts
                if one and one.casefold() not in listed
            )
    return tuple({(one.alias, one.image): one for one in images}.values())


def _linked(repository: Repository, source: RunSource) -> LinkedRepository:
    alias = repository.alias
    if source.is_folder(alias):
        return LinkedRepository(alias=alias, type=LOCAL, name=repository.name)
    return LinkedRepository(
        alias=alias,
        type=repository.type,
        name=repository.name,
        branch=full_ref(repository.ref),
        commit=str(source.known.get(alias.casefold(), {}).get("commit", "")),
        endpoint=repository.endpoint.value if repository.endpoint else "",
    )


def _extended(repository: Repository, path: str, source: RunSource) -> ExtendedTemplate:
    kind, name, ref = repository.type, repository.name, full_ref(repository.ref)
    if repository.alias.casefold() == SELF:
        kind, name, ref = source.type, source.name, source.branch
    elif source.is_folder(repository.alias):
        kind, name, ref = LOCAL, "", ""
    return ExtendedTemplate(repository_type=kind, repository_name=name, ref=ref, path=path)


def full_ref(ref: str) -> str:
    """The ref in full; the documented default is the branch `main`."""
    ref = ref.strip()
    if not ref:
        return DEFAULT_REF
    return ref if ref.startswith("refs/") else f"refs/heads/{ref}"


def _named_in_place(plan: Plan) -> Iterator[Repository]:
    for step in plan.steps():
        written = step.inputs["repository"].value.strip() if step.task.value == CHECKOUT else ""
        kind, separator, rest = written.partition("://")
        if separator:
            name, _, ref = rest.partition("@")
            yield Repository(alias=written, type=kind.casefold(), name=name.strip("/"), ref=ref)


def _artifact(container: Container) -> CheckedArtifact:
    return CheckedArtifact(
        alias=container.alias, image=container.image.value.strip(), type=container.type or "container"
    )
