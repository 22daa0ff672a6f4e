"""Query Azure Monitor alerts: no alert that fits the filters is active."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

from sluice.plugin import (
    Answer,
    CheckRun,
    Connection,
    Decision,
    Probe,
    Proposed,
    SluiceError,
    VerificationError,
)
from sluice_checks._invocation import unreachable
from sluice_checks._rest_api import bearer

VERSION = "2018-05-05"
SECONDS = 20.0
_BODY = 4 << 20
_PAGES = 20
_SHOWN = 3
_PARTS = {"resource": 3, "alertrule": 2}
"""How many parts the value of a filter has at least: type and name; the type of a resource has two itself."""


def evaluate(run: CheckRun) -> Decision:
    """Passes when Azure Monitor lists no alert for the filters."""
    connection = run.connection(run.setting("connectedServiceNameARM"))
    address = _address(connection, run)
    try:
        probe = Probe(
            connection=connection,
            authorization=bearer(connection),
            headers={"Accept": "application/json"},
            seconds=SECONDS,
        )
        alerts = list(_alerts(probe, address))
    except SluiceError as error:
        return unreachable(error)
    if not alerts:
        return Decision.approved("no alert is active")
    more = f" and {len(alerts) - _SHOWN} more" if len(alerts) > _SHOWN else ""
    return Decision.rejected(f"active alerts: {', '.join(map(_name, alerts[:_SHOWN]))}{more}")


def problems(proposed: Proposed) -> tuple[str, ...]:
    """A filter that is chosen and not given."""
    kind = str(proposed.settings.get("filterType", "none")).strip().casefold()
    key = {"resource": "resource", "alertrule": "alertRule"}.get(kind)
    if key is None:
        return ()
    value = proposed.settings.get(key, "")
    if isinstance(value, str) and len(_parts(value)) >= _PARTS[kind]:
        return ()
    sample = "Microsoft.Web/sites/shop" if key == "resource" else "metricAlerts/errors"
    return (f"{key}: name it with its type, such as {sample}",)


def _address(connection: Connection, run: CheckRun) -> str:
    subscription = connection.text("subscriptionId")
    if not subscription:
        raise SluiceError("the connection reaches no subscription, which alerts belong to", where=connection.name)
    group = run.expand(run.setting("ResourceGroupName")).strip()
    scope = f"/subscriptions/{quote(subscription, safe='')}"
    filters = {
        "api-version": VERSION,
        "targetResourceGroup": group,
        "monitorCondition": _listed(run.setting("monitorCondition")),
        "timeRange": run.setting("timeRange").strip(),
        "alertState": _listed(run.setting("alertState")),
        "severity": _listed(run.setting("severity")),
    }
    kind = run.setting("filterType").strip().casefold()
    if kind == "resource":
        resource = _path(run, "resource", kind)
        filters["targetResource"] = f"{scope}/resourcegroups/{group}/providers/{resource}"
    elif kind == "alertrule":
        rule = _path(run, "alertRule", kind)
        filters["alertRule"] = f"{scope}/resourceGroups/{group}/providers/microsoft.insights/{rule}"
    query = urlencode({name: value for name, value in filters.items() if value})
    return f"{connection.url.rstrip('/')}{scope}/providers/Microsoft.AlertsManagement/alerts?{query}"


def _alerts(probe: Probe, address: str) -> Iterator[dict[str, Any]]:
    origin = probe.origin(address)
    for _ in range(_PAGES):
        page = _page(probe.ask(address, limit=_BODY))
        yield from (one for one in page["value"] if isinstance(one, dict))
        following = page.get("nextLink")
        if not following:
            return
        address = str(following)
        if probe.origin(address) != origin:  # the token is for this one
            raise VerificationError(f"the list of alerts goes on at {probe.origin(address)}", why="that is not asked")
    raise VerificationError(f"the list of alerts has more than {_PAGES} pages")


def _page(answer: Answer) -> dict[str, Any]:
    body = answer.json() if answer.ok else None
    if isinstance(body, dict) and isinstance(body.get("value"), list):
        return body
    raise VerificationError(f"{answer.origin} lists no alerts", why=f"it answered {answer.shown}")


def _listed(text: str) -> str:
    return ",".join(one.strip() for one in text.split(",") if one.strip())


def _path(run: CheckRun, key: str, kind: str) -> str:
    parts = _parts(run.expand(run.setting(key)))
    if len(parts) < _PARTS[kind]:
        raise SluiceError(f"{key}: no alert belongs to '{run.expand(run.setting(key))}'")
    return "/".join(parts)


def _parts(path: str) -> list[str]:
    parts = [one.strip() for one in path.split("/") if one.strip()]
    return [] if {".", ".."} & set(parts) else parts


def _name(alert: dict[str, Any]) -> str:
    text = str(alert.get("name") or "without a name")[:80]
    return "".join(one if one.isprintable() else " " for one in text)
