"""Renders pages: one Jinja2 environment that escapes everything, and what every page knows."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import jinja2
from starlette.responses import HTMLResponse

from sluice.server.web import words

if TYPE_CHECKING:
    from starlette.requests import Request

    from sluice.errors import SluiceError
    from sluice.server.caller import Caller

STATIC = Path(__file__).parent / "static"

NAVIGATION = (
    ("runs", "Pipelines", "/_build"),
    ("approvals", "Approvals", "/_approvals"),
    ("environments", "Environments", "/_environments"),
    ("library", "Library", "/_library"),
    ("connections", "Service connections", "/_settings/adminservices"),
    ("audit", "Audit", "/_settings/audit"),
)
"""The areas of a project: key, name, and path behind the project's."""


_FILTERS = ("ago", "day", "iso", "took", "size", "minutes", "label", "plain", "capitalize_first")


def home_of(caller: Caller, project: str) -> str:
    """Where the pages of a project begin."""
    return f"/{quote(caller.state.settings.organization, safe='')}/{quote(project, safe='')}"


@cache
def environment() -> jinja2.Environment:
    """The environment: a missing value is a defect and not an empty text."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("sluice.server.web"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = {name: getattr(words, name) for name in _FILTERS}
    made.filters.update(filters)
    made.filters["part"] = lambda text: quote(str(text), safe="")
    made.filters["query"] = lambda values: urlencode({key: value for key, value in values.items() if value})
    made.globals.update(static=static_path, words=words)
    return made


def page(
    request: Request,
    template: str,
    caller: Caller | None,
    *,
    project: str = "",
    active: str = "",
    status: int = 200,
    problem: SluiceError | None = None,
    said: str = "",
    **context: Any,
) -> HTMLResponse:
    """A page. `problem` is what was refused, `said` what has been done: both are told at its top."""
    known = {
        "person": caller.name if caller else "",
        "csrf": caller.csrf if caller else "",
        "project": project,
        "home": home_of(caller, project) if caller and project else "",
        "nav": [area for area in NAVIGATION if area[0] != "audit" or (caller and caller.actor.administrator)],
        "active": active,
        "problem": problem,
        "said": said,
        "here": str(request.url.path),
    }
    text = environment().get_template(template).render(known | context)
    return HTMLResponse(text, status_code=status)


@cache
def _version() -> str:
    """One version for all files: scripts name each other by their file names alone."""
    digest = hashlib.sha256()
    for path in sorted(STATIC.iterdir()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def static_path(name: str) -> str:
    """The address of a file of ours; it changes with the files, so that browsers may keep it."""
    return f"/static/{_version()}/{name}"
