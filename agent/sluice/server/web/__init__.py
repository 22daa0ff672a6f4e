"""The web pages, one file an area.

Paths of routers are written without the organization, which `protection.py` takes off before: `/{project}/_build`, not
`/{organization}/{project}/_build`. `request.scope["root_path"]` (`/local`, or '') stands in front of links.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import APIRouter
    from starlette.requests import Request
    from starlette.responses import Response

    from sluice.server.problems import Problem


def routers() -> list[APIRouter]:
    """The routers of all pages."""
    from sluice.server.web import (
        pages_approvals,
        pages_audit,
        pages_connection,
        pages_connection_form,
        pages_connections,
        pages_environments,
        pages_groups,
        pages_library,
        pages_log,
        pages_resource_checks,
        pages_resource_history,
        pages_resource_security,
        pages_run,
        pages_run_actions,
        pages_run_new,
        pages_runs,
        pages_secure_files,
        pages_sign_in,
        pages_static,
    )

    modules = (
        pages_static,
        pages_sign_in,
        pages_run,
        pages_run_actions,
        pages_run_new,
        pages_log,
        pages_connections,
        pages_connection_form,
        pages_connection,
        pages_resource_history,
        pages_resource_checks,
        pages_resource_security,
        pages_approvals,
        pages_environments,
        pages_library,
        pages_groups,
        pages_secure_files,
        pages_audit,
        pages_runs,  # last: '/{project}' takes whatever has one part
    )
    return [module.router for module in modules]


async def tell(request: Request, problem: Problem) -> Response:
    """Tell somebody at a browser what went wrong; who is not signed in is led to where that is done."""
    from sluice.server.web.telling import tell_problem

    return await tell_problem(request, problem)
