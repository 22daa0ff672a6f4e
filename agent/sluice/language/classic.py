"""Turns an exported classic build definition (the JSON of `_apis/build/definitions/ID`) into a pipeline document.

What has no equal in YAML, or is missing from the export, is named; nothing is left out silently.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sluice.errors import UsageError
from sluice.language.classic_jobs import Jobs
from sluice.language.classic_notes import Note, Notes, entries, texts
from sluice.language.classic_triggers import triggers_of
from sluice.language.tasks import TaskDefinition
from sluice.values import dataclass

_DESIGNER = (1, "designer")
_YAML = 2
_KNOWN = frozenset(
    [
        *(
            "name",
            "process",
            "build",
            "phases",
            "repository",
            "triggers",
            "variables",
            "variableGroups",
            "queue",
            "demands",
        ),
        *("buildNumberFormat", "jobTimeoutInMinutes", "jobCancelTimeoutInMinutes", "processParameters", "options"),
        *("jobAuthorizationScope", "badgeEnabled", "retentionRules", "tags", "quality", "dropLocation", "comment"),
    ]
)
_MEANINGLESS = frozenset(
    [
        *(
            "id",
            "uri",
            "url",
            "path",
            "type",
            "revision",
            "createdDate",
            "project",
            "authoredBy",
            "_links",
            "drafts",
            "draftOf",
        ),
        *("properties", "queueStatus", "latestBuild", "latestCompletedBuild", "metrics", "description", "nodeType"),
        *("buildCounter", "parentDefinition", "lastChangedBy", "lastChangedDate", "appendCommitMessageToRunName"),
    ]
)
"""What says nothing of how a build runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """A pipeline document, ready to be written as YAML, and what a person has to know about it."""

    name: str
    document: Mapping[str, Any]
    notes: tuple[Note, ...]


def convert(
    definition: object,
    *,
    find_task: Callable[[str], TaskDefinition | None],
    connections: Mapping[str, str],
) -> Converted:
    """The pipeline of a definition. `find_task` finds a task by `id@major`, `connections` has names by id.

    Raises `UsageError` for what is no classic build definition.
    """
    if not isinstance(definition, dict):
        raise UsageError("this is no build definition", why="it is no JSON object")
    notes = Notes()
    process = _process(definition)
    names = {key.casefold(): name for key, name in connections.items()}
    jobs = Jobs(definition, process, notes=notes, find_task=find_task, connections=names)
    document: dict[str, Any] = {}
    if number := str(definition.get("buildNumberFormat") or ""):
        document["name"] = number
    document.update(triggers_of(definition, notes))
    if variables := _variables(definition, notes):
        document["variables"] = variables
    document["jobs"] = jobs.convert()
    _say_the_rest(definition, notes)
    return Converted(name=str(definition.get("name") or ""), document=document, notes=tuple(notes.found))


def _process(definition: Mapping[str, Any]) -> Mapping[str, Any]:
    """The phases of a definition, in the form of newer ones; raises `UsageError` when it has none."""
    if isinstance(definition.get("environments"), list):
        raise UsageError(
            "this is a release definition",
            why="only build definitions can be imported",
            do="see docs/classic-pipelines.md",
        )
    process = definition.get("process")
    if isinstance(process, dict):
        if process.get("type") == _YAML or process.get("yamlFilename"):
            file = process.get("yamlFilename") or "azure-pipelines.yml"
            raise UsageError(f"this definition is a YAML pipeline already: its steps are in '{file}' of its repository")
        if isinstance(process.get("phases"), list):
            return process
    if isinstance(definition.get("build"), list):  # before there were phases
        return {"type": _DESIGNER[0], "phases": [{"name": "Build", "refName": "Build", "steps": definition["build"]}]}
    raise UsageError(
        "this is no classic build definition",
        why="it has neither 'process.phases' nor 'build'",
        do="export it with: az pipelines show --id ID --output json, or GET _apis/build/definitions/ID",
    )


def _variables(definition: Mapping[str, Any], notes: Notes) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for place, group in entries(definition, "variableGroups"):
        if name := str(group.get("name") or ""):
            found.append({"group": name})
        else:
            notes.add(
                place,
                f"the variable group with the id {group.get('id')} is exported without its name",
                "add '- group: NAME'",
            )
    variables = definition.get("variables")
    for name, written in variables.items() if isinstance(variables, dict) else ():
        place = f"variables.{name}"
        about = written if isinstance(written, dict) else {"value": written}
        if about.get("isSecret"):
            command = f"sluice pipeline variable set PIPELINE --secret {name}=-"
            notes.add(place, f"the value of the secret variable '{name}' is in no export", f"give it: {command}")
        elif name.casefold() != "system.debug" or str(about.get("value")).casefold() == "true":
            found.append({"name": name, "value": str(about.get("value") if about.get("value") is not None else "")})
            if about.get("allowOverride"):
                text = f"'{name}' could be set when a build was queued: a variable of YAML cannot"
                notes.add(place, text, f"take it out and use: sluice pipeline variable set PIPELINE {name}=VALUE")
    return found


def _say_the_rest(definition: Mapping[str, Any], notes: Notes) -> None:
    """Name the settings of a definition that YAML has no words for."""
    for place, option in entries(definition, "options"):
        if option.get("enabled"):
            about = option.get("definition")
            which = about.get("id") if isinstance(about, dict) else "?"
            notes.add(place, f"the option {_OPTIONS.get(str(which), which)} is no part of YAML")
    if str(definition.get("jobAuthorizationScope")) in {"1", "projectCollection"}:
        text = "jobs could reach other projects: for YAML that is a setting of the project"
        notes.add("jobAuthorizationScope", text)
    if definition.get("badgeEnabled"):
        notes.add("badgeEnabled", "a badge is no part of YAML")
    if len(rules := list(entries(definition, "retentionRules"))) > 1 or any(rule.get("artifacts") for _, rule in rules):
        notes.add("retentionRules", "how long builds are kept is no part of YAML")
    if texts(definition.get("tags")):
        notes.add("tags", "tags of the definition itself are no part of YAML")
    if definition.get("dropLocation"):
        notes.add("dropLocation", "a drop location is no part of YAML", "publish to it with PublishBuildArtifacts@1")
    if str(definition.get("quality") or "definition") in {"2", "draft"}:
        notes.add("quality", "this is a draft: what is built is another definition")
    for key in definition:
        if key not in _KNOWN | _MEANINGLESS and definition[key] not in (None, "", [], {}, False):
            notes.add(key, f"'{key}' is not known, and left out")


_OPTIONS = {
    "5d58cc01-7c75-450c-be18-a388ddb5a5ec": "'link new work in this build'",
    "a9db38f9-9fdc-478c-b0f9-464221e58316": "'create work item on failure'",
    "7c555368-ca64-4199-add6-9ebaf0b0137d": "'multi-configuration' of older servers (now a setting of its job)",
}
