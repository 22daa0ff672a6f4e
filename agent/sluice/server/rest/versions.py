"""Which version of the interface a request asks for, and whether there is that version of the resource."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from sluice.server.problems import Problem

if TYPE_CHECKING:
    from starlette.requests import Request

    from sluice.server.rest.locations import Location

_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})(-preview(?:\.\d{1,4})?)?", re.IGNORECASE)
_IN_ACCEPT = re.compile(r"api-version\s*=\s*\"?([^\s;,\"]+)", re.IGNORECASE)
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_MAX_SHOWN = 40


def negotiate(request: Request, location: Location) -> str:
    """The version that is answered: the one that is asked for, else the newest that was released.

    Raises `Problem` as the service does: for a version that there is not, for a preview that is asked for without
    saying so, and for a change that names none.
    """
    text = request.query_params.get("api-version") or _accepted(request.headers.get("accept", ""))
    if not text:
        if request.method in _READS:
            return location.maximum if location.released == "0.0" else location.released
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            "VssVersionNotSpecifiedException",
            f'No api-version was supplied for the "{request.method}" request. The version must be supplied either as '
            'part of the Accept header (e.g. "application/json; api-version=1.0") or as a query parameter '
            '(e.g. "?api-version=1.0").',
        )
    found = _VERSION.fullmatch(text.strip())
    shown = text[:_MAX_SHOWN]
    if found is None:
        raise Problem(
            HTTPStatus.BAD_REQUEST, "VssVersionNotSupportedException", f"'{shown}' is no version of the interface"
        )
    asked = (int(found[1]), int(found[2]))
    if not _number(location.minimum) <= asked <= _number(location.maximum):
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            "VssVersionOutOfRangeException",
            f'The requested REST API version of "{shown}" is out of range for this server. The lowest supported '
            f"version for the {location.resource} resource is {location.minimum}, the highest {location.maximum}.",
        )
    if not found[3] and asked > _number(location.released):
        raise Problem(
            HTTPStatus.BAD_REQUEST,
            "VssInvalidPreviewVersionException",
            f'The requested version "{shown}" of the resource is under preview. The -preview flag must be supplied in '
            f'the api-version for such requests. For example: "{shown}-preview"',
        )
    return text.strip()


def _accepted(header: str) -> str:
    found = _IN_ACCEPT.search(header[:1000])
    return found[1] if found else ""


def _number(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    return int(major), int(minor)
