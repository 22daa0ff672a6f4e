"""Kinds of checks: what decides by itself, without a person, whether a stage may use a resource now."""

from __future__ import annotations

from sluice.plugin import CheckType, hookimpl
from sluice_checks._types import TYPES


@hookimpl
def sluice_check_types() -> tuple[CheckType, ...]:
    return TYPES
