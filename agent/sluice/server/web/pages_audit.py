"""The audit log, newest entries first, and whether anybody has edited it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from sluice.errors import NotFoundError
from sluice.server.web import words
from sluice.server.web.rendering import page
from sluice.server.web.signed import RunNumber, Signed
from sluice.storage import audit, projects
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.storage.chain import Link

router = APIRouter(include_in_schema=False)

LIMIT = 100
CATEGORIES = ("Access", "Create", "Execute", "Modify", "Remove")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An entry as the list shows it."""

    sequence: int
    at: float
    actor: str
    action: str
    category: str
    text: str
    run_id: int
    address: str


@router.get("/{project}/_settings/audit")
def audit_page(
    request: Request,
    project: str,
    caller: Signed,
    before: RunNumber = 0,
    category: str = "",
    actor: Annotated[str, Query(max_length=256)] = "",
    run: RunNumber = 0,
    verify: str = "",
) -> Response:
    """The newest entries that fit."""
    with caller.database.read() as transaction:
        caller.guard.require_administrator("read the audit log", "vso.auditlog")
        home = projects.find(transaction, project)
        if category and category not in CATEGORIES:
            raise NotFoundError(f"there is no category '{words.plain(category)}'")
        wanted = audit.Wanted(category=category, actor=actor.strip(), run_id=run, before=before)
        links = audit.search(transaction, wanted, limit=LIMIT)
        verdict = _verdict(transaction) if verify == "1" else None
    return page(
        request,
        "audit.html",
        caller,
        project=home.name,
        active="audit",
        rows=[_row(link) for link in reversed(links)],
        more=len(links) == LIMIT,
        category=category,
        actor=actor,
        run=run,
        categories=CATEGORIES,
        verdict=verdict,
    )


def _verdict(transaction: Any) -> audit.Verdict:
    noted = audit.noted_head(transaction.home) if transaction.home else None
    return audit.verify(transaction, *([noted] if noted else []))


def _row(link: Link) -> Row:
    entry = link.entry
    try:
        details = json.loads(entry.details)
    except ValueError:
        details = {}
    known = details if isinstance(details, dict) else {}
    origin = known.get(audit.ORIGIN, {})
    run_id = known.get("RunId", 0)
    return Row(
        sequence=entry.sequence,
        at=entry.at,
        actor=words.plain(entry.actor),
        action=entry.action,
        category=entry.category,
        text=words.plain(audit.describe(entry)),
        run_id=run_id if isinstance(run_id, int) else 0,
        address=words.plain(str(origin.get("address", ""))) if isinstance(origin, dict) else "",
    )
