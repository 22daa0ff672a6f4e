"""The REST interface, one file a resource."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import APIRouter


def routers() -> list[APIRouter]:
    """The routers of all resources, what is asked most often first."""
    from sluice.server.rest import (
        agent,
        build_logs,
        builds,
        connection_data,
        discovery,
        endpoints,
        pipeline_permissions,
        pipelines,
        projects,
        webhooks,
    )

    modules = (
        endpoints,
        projects,
        connection_data,
        discovery,
        builds,
        build_logs,
        pipeline_permissions,
        pipelines,
        agent,
        webhooks,
    )
    return [module.router for module in modules]
