"""What the scopes of access tokens cover."""

from __future__ import annotations

import pytest

from sluice.authorization.resources import ENDPOINT, ENVIRONMENT, REPOSITORY, SECURE_FILE, VARIABLE_GROUP
from sluice.authorization.roles import PIPELINE
from sluice.authorization.scopes import SCOPES, check_scopes, covers, scope_for
from sluice.errors import UsageError
from sluice.rights import Right

KINDS = [ENDPOINT, VARIABLE_GROUP, SECURE_FILE, ENVIRONMENT, REPOSITORY, PIPELINE]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("right", list(Right))
def test_every_right_has_a_scope_that_is_known_and_that_full_access_covers(right: Right, kind: str) -> None:
    scope = scope_for(right, kind)
    assert scope in SCOPES
    assert covers(["app_token"], scope)
    assert covers(None, scope)
    assert not covers([], scope)


def test_who_manages_connections_uses_and_sees_them_too() -> None:
    assert covers(["vso.serviceendpoint_manage"], scope_for(Right.USE, ENDPOINT))
    assert covers(["vso.serviceendpoint_query"], scope_for(Right.SEE, ENDPOINT))
    assert not covers(["vso.serviceendpoint_query"], scope_for(Right.EDIT, ENDPOINT))
    assert not covers(["vso.serviceendpoint"], scope_for(Right.USE, ENDPOINT))


def test_a_scope_that_starts_runs_permits_nothing() -> None:
    assert covers(["vso.build_execute"], scope_for(Right.USE, PIPELINE))
    assert not covers(["vso.build_execute", "vso.serviceendpoint_manage"], scope_for(Right.PERMIT, ENDPOINT))
    assert not covers(["vso.serviceendpoint_manage"], scope_for(Right.MANAGE_ROLES, ENDPOINT))


def test_scopes_are_checked_when_a_token_is_made() -> None:
    assert check_scopes(["vso.build", "vso.build"]) == ("vso.build",)
    with pytest.raises(UsageError, match=r"there is no scope .vso\.bild."):
        check_scopes(["vso.bild"])
    with pytest.raises(UsageError, match="needs scopes"):
        check_scopes([])
