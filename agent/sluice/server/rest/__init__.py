"""The REST interface, one file a resource."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import APIRouter


def routers() -> list[APIRouter]:
    """The routers of all resources, what is asked most often first."""
    from sluice.server.rest import connection_data, discovery, endpoints, projects

    return [module.router for module in (endpoints, projects, connection_data, discovery)]
