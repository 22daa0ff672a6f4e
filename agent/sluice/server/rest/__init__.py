"""The REST interface, one file a resource."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import APIRouter

RESOURCES = (
    "endpoints",
    "builds",
    "build_logs",
    "pipeline_permissions",
    "checks",
    "approvals",
    "pipelines",  # whose paths would take those of the three before for numbers of pipelines
    "projects",
    "processes",
    "connection_data",
    "discovery",
    "endpoint_proxy",
    "endpoint_types",
    "execution_history",
    "security_roles",
    "events",
    "definitions",
    "artifacts",
    "environments",
    "variable_groups",
    "secure_files",
    "queues",
    "audit",
    "agent",
    "webhooks",
)
"""The modules of all resources, what is asked most often first: paths are looked at in this order."""


def routers() -> list[APIRouter]:
    """The routers of all resources."""
    return [importlib.import_module(f"sluice.server.rest.{name}").router for name in RESOURCES]
