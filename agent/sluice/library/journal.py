"""What the audit log says of variable groups."""

from __future__ import annotations

from collections.abc import Mapping

from sluice.library.group import VariableGroup
from sluice.secret import Secret
from sluice.storage import actions, audit, projects, usage
from sluice.storage.action import Action
from sluice.storage.vouching import Voucher


def changed(
    action: Action,
    group: VariableGroup,
    project: projects.Project,
    *,
    by: str,
    at: float,
    more: Mapping[str, object] | None = None,
) -> audit.Event:
    """A change of a variable group, as it is after it."""
    return audit.Event(
        action=action,
        actor=by,
        at=at,
        project_id=project.id,
        resource_id=group.id,
        resource_version=group.version,
        details={
            "VariableGroupName": group.name,
            "VariableGroupId": group.id,
            "ProjectName": project.name,
            **(more or {}),
        },
    )


def opened(
    group: VariableGroup,
    project: projects.Project,
    use: usage.Use,
    *,
    fetched: Mapping[str, Secret],
    voucher: Voucher,
    at: float,
) -> audit.Event:
    """A group's variables leave the store; keyed hashes tell whether two uses fetched the same secrets, never which."""
    details: dict[str, object] = {
        "PipelineId": use.pipeline_id,
        "RunId": use.run_id,
        "StageName": use.stage,
        "JobName": use.job,
        "Secrets": sorted({*group.secrets, *group.references}),
    }
    if fetched:
        codes = {name: voucher.code("value", group.id, name, value.reveal())[:32] for name, value in fetched.items()}
        details |= {"References": dict(group.references), "ValueHashes": codes}
    return changed(actions.VARIABLE_GROUP_OPENED, group, project, by=use.actor, at=at, more=details)
