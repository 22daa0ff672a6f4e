"""The kinds of checks by name."""

from __future__ import annotations

import pytest

from sluice.authorization.checks.kinds import APPROVAL, CORE, Kinds
from sluice.errors import NotFoundError, PluginError
from sluice.hooks.checks import CheckType, Decision


def kind(name: str) -> CheckType:
    return CheckType(name, name, lambda run: Decision.approved())


def test_kinds_of_plugins_stand_beside_those_of_sluice() -> None:
    kinds = Kinds({"weather": kind("weather")})
    assert [one.name for one in kinds] == [*(one.name for one in CORE), "weather"]
    assert kinds.get("Approval") is APPROVAL


def test_a_plugin_may_not_replace_the_approval() -> None:
    with pytest.raises(PluginError, match="approval"):
        Kinds({"approval": kind("approval")})


def test_an_unknown_kind_is_answered_with_those_there_are() -> None:
    with pytest.raises(NotFoundError) as error:
        Kinds({}).get("weather")
    assert "approval" in error.value.do
