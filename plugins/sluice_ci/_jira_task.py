"""`JiraUpdateIssue@1`: comment on issues of Jira, set their fields, and move them along their workflow."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from sluice.plugin import Answer, TaskFailedError, TaskRun
from sluice_ci._jira import PRODUCT, Jira, complaints
from sluice_ci._service import Patience
from sluice_ci._words import printable

KEY = re.compile(r"(?<![A-Za-z0-9_-])[A-Z][A-Z0-9_]{1,20}-[1-9][0-9]{0,9}(?![A-Za-z0-9_])")
"""An issue's key, such as `SHOP-12`."""
MAX_ISSUES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is done to every issue, in this order."""

    fields: Mapping[str, Any]
    labels: Sequence[str]
    comment: str
    transition: str


def update_issues(run: TaskRun) -> None:
    """Change each issue; what fails for one does not keep the others from it, and fails the task at the end."""
    jira = Jira(run.connection("jiraConnection"))
    change = Change(
        fields=_fields(run),
        labels=[label for line in run.lines("labels") for label in re.split(r"[\s,]+", line) if label],
        comment=run.input("comment").strip(),
        transition=run.input("transition").strip(),
    )
    if not (change.fields or change.labels or change.comment or change.transition):
        raise TaskFailedError("nothing to do", where=run.task, do="set comment, transition, fields or labels")
    keys, patience, failed = _keys(run), Patience(run), []
    for key in keys:
        patience.check()
        try:
            _apply(run, jira, key, change)
        except TaskFailedError as error:
            run.error(str(error))
            failed.append(key)
    if failed:
        raise TaskFailedError(
            f"{len(failed)} of {len(keys)} issues were not updated", where=run.task, why=", ".join(failed)
        )


def _keys(run: TaskRun) -> Sequence[str]:
    """The issues that the text names: keys alone, or commit messages with keys in them."""
    keys = list(dict.fromkeys(KEY.findall(run.required("issueKeys"))))
    if not keys and run.flag("failWhenNoIssues"):
        do = "a key is written as SHOP-12"
        raise TaskFailedError("issueKeys names no issue", where=run.task, do=do)
    if not keys:
        run.warn("issueKeys names no issue: nothing is updated.")
    if len(keys) > MAX_ISSUES:
        raise TaskFailedError(f"issueKeys names more than {MAX_ISSUES} issues", where=run.task)
    return keys


def _fields(run: TaskRun) -> Mapping[str, Any]:
    text = run.input("fields").strip()
    if not text:
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        do = 'such as {"summary": "New title", "customfield_10010": 5}'
        raise TaskFailedError("fields is no JSON object", where=run.task, do=do)
    return found


def _apply(run: TaskRun, jira: Jira, key: str, change: Change) -> None:
    path = f"issue/{quote(key, safe='')}"
    edit: dict[str, Any] = {"fields": change.fields} if change.fields else {}
    if change.labels:
        edit["update"] = {"labels": [{"add": label} for label in change.labels]}
    if edit:
        _done(jira, key, jira.ask(path, method="PUT", body=edit), "its fields cannot be set")
        run.say(f"{key}: {', '.join(printable(name) for name in (*change.fields, *edit.get('update', ())))} set")
    if change.comment:
        answer = jira.ask(f"{path}/comment", method="POST", body={"body": change.comment})
        _done(jira, key, answer, "it cannot be commented on")
        run.say(f"{key}: comment added")
    if change.transition:
        _move(run, jira, key, change.transition)


def _move(run: TaskRun, jira: Jira, key: str, wanted: str) -> None:
    """Take the transition of that name or number, or else the one that leads to the status of that name."""
    path = f"issue/{quote(key, safe='')}/transitions"
    answer = jira.ask(path)
    _done(jira, key, answer, "its transitions cannot be read")
    body = PRODUCT.json(jira.connection, answer)
    possible = [one for one in body.get("transitions") or () if isinstance(one, Mapping)]
    name = wanted.casefold()
    by_name = [one for one in possible if name in {str(one.get("name")).casefold(), str(one.get("id"))}]
    by_status = [one for one in possible if name == str((one.get("to") or {}).get("name")).casefold()]
    if not (by_name or by_status):
        names = ", ".join(printable(one.get("name")) for one in possible)
        why = f"from its status there are: {names}" if names else "from its status there are none for this account"
        raise TaskFailedError(f"{key}: there is no transition '{printable(wanted)}'", why=why)
    chosen = (by_name or by_status)[0]
    answer = jira.ask(path, method="POST", body={"transition": {"id": str(chosen.get("id"))}})
    _done(jira, key, answer, "it cannot be moved")
    run.say(f"{key}: moved to {printable((chosen.get('to') or {}).get('name'))}")


def _done(jira: Jira, key: str, answer: Answer, what: str) -> None:
    if answer.status in {401, 429} or answer.status >= 500 or 300 <= answer.status < 400:
        raise PRODUCT.refusal(jira.connection, answer)  # the same for every other issue
    if not answer.ok:
        do = PRODUCT.permission if answer.status == 403 else ""
        raise TaskFailedError(f"{key}: {what}", why=complaints(answer), do=do)
