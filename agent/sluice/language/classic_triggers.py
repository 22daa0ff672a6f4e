"""The triggers of a classic build definition: `trigger`, `pr`, `schedules`, and pipelines that it follows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sluice.language.classic_notes import Notes, child, entries, is_true, texts, whole

_KINDS = {
    2: "continuousIntegration",
    8: "schedule",
    16: "gatedCheckIn",
    32: "batchedGatedCheckIn",
    64: "pullRequest",
    128: "buildCompletion",
}
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_ALL = (1 << len(_DAYS)) - 1
_FROM_YAML = 2
"""`settingsSourceType` of a trigger whose branches stand in a YAML file."""


def triggers_of(definition: Mapping[str, Any], notes: Notes) -> dict[str, Any]:
    """The top of the document: what starts the pipeline."""
    found: dict[str, Any] = {"trigger": "none", "pr": "none"}
    schedules: list[dict[str, Any]] = []
    pipelines: list[dict[str, Any]] = []
    for place, one in entries(definition, "triggers"):
        kind = one.get("triggerType")
        kind = _KINDS.get(kind, str(kind)) if isinstance(kind, int) else str(kind)
        if kind == "continuousIntegration":
            found["trigger"] = _branches(one, place, notes, batch=True)
        elif kind == "pullRequest":
            found["pr"] = _branches(one, place, notes, batch=False)
            if is_true(child(one, "forks").get("enabled")):
                notes.add(
                    f"{place}.forks",
                    "builds of forks are no part of YAML",
                    "see 'untrusted runs' in docs/connections.md",
                )
        elif kind == "schedule":
            schedules += _schedules(one, place, notes)
        elif kind == "buildCompletion":
            pipelines += _completion(one, place, notes)
        else:
            notes.add(place, f"the trigger '{kind}' has no equal in YAML")
    if schedules:
        found["schedules"] = schedules
    if pipelines:
        found["resources"] = {"pipelines": pipelines}
    return found


def _branches(one: Mapping[str, Any], place: str, notes: Notes, *, batch: bool) -> Any:
    if one.get("settingsSourceType") == _FROM_YAML:
        notes.add(place, "its branches stand in a YAML file, which is no part of the export")
        return "none"
    found: dict[str, Any] = {}
    if batch and one.get("batchChanges"):
        found["batch"] = True
    branches = _filters(texts(one.get("branchFilters")))
    found["branches"] = branches or {"include": ["*"]}
    if paths := _filters(texts(one.get("pathFilters"))):
        found["paths"] = paths
    if whole(one.get("pollingInterval")):
        notes.add(f"{place}.pollingInterval", "polling a repository has no equal in YAML")
    return found


def _filters(written: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for one in written:
        kind = "exclude" if one.startswith("-") else "include"
        name = one.lstrip("+-").removeprefix("refs/heads/").removeprefix("/")
        if name:
            found.setdefault(kind, []).append(name)
    if "exclude" in found and "include" not in found:
        found = {"include": ["*"], **found}
    return found


def _schedules(one: Mapping[str, Any], place: str, notes: Notes) -> list[dict[str, Any]]:
    found = []
    for inner, schedule in entries(one, "schedules"):
        where = f"{place}.{inner}"
        zone = str(schedule.get("timeZoneId") or "UTC")
        if zone.casefold() not in {"utc", "etc/utc", "coordinated universal time"}:
            notes.add(where, f"its time is of the zone '{zone}', the times of YAML are UTC", "shift the hour in 'cron'")
        minute, hour = whole(schedule.get("startMinutes")), whole(schedule.get("startHours"))
        branches = _filters(texts(schedule.get("branchFilters"))) or {"include": ["main"]}
        cron = f"{minute} {hour} * * {_weekdays(schedule.get('daysToBuild'))}"
        made: dict[str, Any] = {"cron": cron, "displayName": f"{hour:02}:{minute:02}", "branches": branches}
        if not schedule.get("scheduleOnlyWithChanges", True):
            made["always"] = True
        found.append(made)
    return found


def _weekdays(value: object) -> str:
    """Days as cron counts them: 1 is Monday, 0 Sunday."""
    bits = value if isinstance(value, int) else 0
    if isinstance(value, str):
        named = {one.strip().casefold() for one in value.split(",")}
        bits = _ALL if "all" in named else sum(1 << number for number, day in enumerate(_DAYS) if day in named)
    chosen = [number for number in range(len(_DAYS)) if bits & 1 << number]
    if not chosen or len(chosen) == len(_DAYS):
        return "*"
    return ",".join(str((number + 1) % 7) for number in chosen)


def _completion(one: Mapping[str, Any], place: str, notes: Notes) -> list[dict[str, Any]]:
    followed = child(one, "definition")
    name = str(followed.get("name") or "")
    if not name:
        notes.add(place, f"it follows the definition with the id {followed.get('id')}, exported without its name")
        return []
    alias = "".join(part for part in name if part.isascii() and part.isalnum()) or "upstream"
    branches = _filters(texts(one.get("branchFilters")))
    return [{"pipeline": alias, "source": name, "trigger": {"branches": branches} if branches else True}]
