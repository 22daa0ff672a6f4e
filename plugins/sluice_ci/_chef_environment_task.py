"""`Chef@1`: set attributes of a Chef environment and wait until its nodes have applied them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

from sluice.plugin import Answer, TaskFailedError, TaskRun
from sluice_ci._chef import PRODUCT, Chef
from sluice_ci._service import Pace, Patience
from sluice_ci._words import printable

PACE = Pace(1, 60)
"""Nodes converge in minutes; the task of Azure Pipelines asks every minute."""
ROWS = 1000
_TOKEN = re.compile(r"\['((?:[^'\\]|\\.)*)'\]|\[(\d+)\]|\.?([^.\[\]]+)")


def deploy(run: TaskRun) -> None:
    """Change the attributes, then wait for every node; raises `TaskFailedError` when one of them is not in time."""
    chef = Chef(run.connection("connectedServiceName"))
    name = run.required("Environment").strip()
    attributes = _attributes(run)
    minutes = run.number("chefWaitTime", minimum=1)
    patience = Patience(run)
    environment = _environment(run, chef, name)
    before = _last_runs(chef, name)
    if not before:
        raise TaskFailedError(f"The chef environment '{printable(name)}' has no nodes in it", where=run.task)
    for key, value in attributes.items():
        set_attribute(environment, key, value)
        run.say(f"{printable(key)} is set")
    answer = chef.ask(f"environments/{quote(name, safe='')}", method="PUT", body=environment)
    PRODUCT.json(chef.connection, answer)
    run.say(
        f"The environment '{printable(name)}' is updated; its {len(before)} nodes have {minutes} minutes to converge"
    )
    _wait(run, chef, name, before, seconds=60 * minutes, patience=patience)


def _attributes(run: TaskRun) -> Mapping[str, object]:
    try:
        found = json.loads(run.required("Attributes"))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not found:
        raise TaskFailedError(
            "Give the environment attribute key value pairs to be updated as proper json",
            where=run.task,
            do='for example {"default_attributes.websiteName":"MyWebsite","override_attributes.db":"MyDb"}',
        )
    return found


def _environment(run: TaskRun, chef: Chef, name: str) -> dict[str, Any]:
    answer = chef.ask(f"environments/{quote(name, safe='')}")
    if answer.status == 404:
        chef_found = PRODUCT.json(chef.connection, chef.ask("environments"))  # tells a wrong address apart
        shown = ", ".join(printable(one) for one in sorted(chef_found)[:10])
        what = f"Environment name '{printable(name)}' is not found on the chef server"
        raise TaskFailedError(what, where=run.task, why=f"it has: {shown}" if shown else "it has none")
    body: dict[str, Any] = PRODUCT.json(chef.connection, answer)
    return body


def set_attribute(environment: dict[str, Any], key: str, value: object) -> None:
    """Set a leaf that is there, named as `default_attributes.site.name` (or `['a.b']`, `[0]`)."""
    steps = [step for found in _TOKEN.finditer(key) if (step := _step(found)) is not None]
    place: Any = environment
    for step in steps[:-1]:
        place = _at(place, step, key)
    if not steps or isinstance(_at(place, steps[-1], key), (dict, list)):
        raise TaskFailedError(f"The attribute with key: '{printable(key)}' is not a leaf attribute")
    place[steps[-1]] = value


def _step(found: re.Match[str]) -> str | int | None:
    quoted, index, plain = found.groups()
    if index is not None:
        return int(index)
    return plain if quoted is None else quoted.replace("\\'", "'")


def _at(place: Any, step: str | int, key: str) -> Any:
    try:
        if isinstance(place, dict):
            return place[str(step)]
        if isinstance(place, list) and isinstance(step, int):
            return place[step]
    except (KeyError, IndexError):
        pass
    raise TaskFailedError(f"Cannot find environment attribute with key: '{printable(key)}'")


def _last_runs(chef: Chef, name: str) -> Mapping[str, float]:
    """When each node of the environment last converged (seconds since the epoch by its own clock; 0 if never)."""
    found: dict[str, float] = {}
    query = quote(f"chef_environment:{name}", safe="")
    wanted = {"name": ["name"], "ohai_time": ["ohai_time"]}
    while True:
        path = f"search/node?q={query}&start={len(found)}&rows={ROWS}"
        body = PRODUCT.json(chef.connection, chef.ask(path, method="POST", body=wanted))
        rows = [row.get("data") or {} for row in body.get("rows") or ()]
        found |= {str(row.get("name")): _seconds(row.get("ohai_time")) for row in rows}
        if len(rows) < ROWS:
            return found


def _seconds(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else 0


def _time_of(answer: Answer) -> float:
    """When the server answered: a run that began before does not count, even where it ended later."""
    try:
        return parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
    except ValueError:
        return 0


def _wait(
    run: TaskRun, chef: Chef, name: str, before: Mapping[str, float], *, seconds: float, patience: Patience
) -> None:
    """Wait until each node has saved a run that began later than its last one: only a run that succeeded is saved."""
    ends = time.monotonic() + seconds
    waiting = set(before)
    for pause in PACE:
        now = _last_runs(chef, name)
        for node in sorted(waiting):
            if node not in now or now[node] > before[node]:
                waiting.discard(node)
                run.say(f"{printable(node)} {'has converged' if node in now else 'has left the environment'}")
        run.progress(100 * (len(before) - len(waiting)) // len(before), "nodes")
        if not waiting:
            return
        left = ends - time.monotonic()
        if left <= 0:
            shown = ", ".join(printable(node) for node in sorted(waiting)[:10])
            raise TaskFailedError(
                f"{len(waiting)} of {len(before)} nodes have not converged in time",
                where=run.task,
                why=shown,
                do="look at chef-client's log on them, or raise chefWaitTime (minutes)",
            )
        patience.wait(min(pause, left))
