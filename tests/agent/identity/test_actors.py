"""Whom an access token speaks for, and when it speaks for nobody."""

from __future__ import annotations

import hashlib

import pytest
from tests.agent.identity.conftest import NOW, Town

from sluice.connections.guard import UNRESTRICTED
from sluice.errors import NotPermittedError, SealError
from sluice.identity import actors
from sluice.identity.administration import DAY, Administration
from sluice.rights import OWNER_ID
from sluice.secret import Secret
from sluice.storage import tokens


def issue(town: Town, user: str, *scopes: str, days: float = 30, name: str = "laptop") -> Secret:
    with town.database.write() as transaction:
        administration = Administration(UNRESTRICTED)
        return administration.create_token(transaction, user, name, scopes or ["app_token"], days=days, at=NOW)[1]


def test_a_token_speaks_for_its_owner_within_its_scopes(town: Town) -> None:
    town.move_in("ann")
    town.join("ann", "Contributors")
    actor = actors.by_token(town.database, issue(town, "ann", "vso.build"), at=NOW)
    assert (actor.name, actor.scopes, actor.administrator) == ("ann", frozenset({"vso.build"}), False)
    assert actor.groups == ("[default]\\Contributors",)
    assert len(actor.subjects) == 2


def test_the_database_has_only_the_hash_of_a_token(town: Town) -> None:
    town.move_in("ann")
    text = issue(town, "ann").reveal()
    town.database.close()
    stored = b"".join(path.read_bytes() for path in town.home.root.rglob("*") if path.is_file())
    assert text.encode() not in stored
    assert text.removeprefix(tokens.MARK).encode()[6:] not in stored
    assert hashlib.sha256(text.encode()).hexdigest().encode() in stored
    assert len(text) > 40


def test_an_unknown_token_is_refused(town: Town) -> None:
    with pytest.raises(NotPermittedError, match="not known"):
        actors.by_token(town.database, Secret("sluice_nonsense"), at=NOW)


def test_an_expired_token_is_refused_and_that_is_told(town: Town) -> None:
    town.move_in("ann")
    token = issue(town, "ann", days=1)
    actors.by_token(town.database, token, at=NOW + DAY - 1)
    with pytest.raises(NotPermittedError, match=r"it expired on 1970-01-02"):
        actors.by_token(town.database, token, at=NOW + DAY)
    assert town.logged()[-1].startswith('Refused the access token "laptop" (sluice_')


def test_a_revoked_token_is_refused(town: Town) -> None:
    town.move_in("ann")
    token = issue(town, "ann")
    with town.database.write() as transaction:
        Administration(UNRESTRICTED).revoke_token(transaction, "ann", "laptop", at=NOW)
    with pytest.raises(NotPermittedError, match="it was revoked"):
        actors.by_token(town.database, token, at=NOW)


def test_the_token_of_a_disabled_user_is_refused_until_it_is_enabled(town: Town) -> None:
    town.move_in("ann")
    token = issue(town, "ann")
    for disabled in (True, False):
        with town.database.write() as transaction:
            Administration(UNRESTRICTED).set_disabled(transaction, "ann", disabled=disabled, at=NOW)
        if disabled:
            with pytest.raises(NotPermittedError, match="is disabled"):
                actors.by_token(town.database, token, at=NOW)
    assert actors.by_token(town.database, token, at=NOW).name == "ann"


def test_the_tokens_of_a_deleted_user_are_gone(town: Town) -> None:
    town.move_in("ann")
    town.join("ann", "Contributors")
    token = issue(town, "ann")
    with town.database.write() as transaction:
        Administration(UNRESTRICTED).delete_user(transaction, "ann", at=NOW)
    with pytest.raises(NotPermittedError, match="not known"):
        actors.by_token(town.database, token, at=NOW)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE access_tokens SET scopes = 'app_token'",
        "UPDATE access_tokens SET expires_at = 1e12",
        f"UPDATE access_tokens SET user_id = '{OWNER_ID}'",
        f"UPDATE access_tokens SET hash = '{hashlib.sha256(b'mine').hexdigest()}'",
    ],
)
def test_a_token_that_was_edited_by_hand_speaks_for_nobody(town: Town, statement: str) -> None:
    town.move_in("ann")
    token = issue(town, "ann", "vso.build")
    town.attack(statement)
    with pytest.raises(NotPermittedError, match="edited by hand"):
        actors.by_token(town.database, Secret("mine") if "hash" in statement else token, at=NOW)


def test_a_revoked_token_is_not_brought_back_by_an_old_row(town: Town) -> None:
    town.move_in("ann")
    token = issue(town, "ann")
    town.attack("CREATE TABLE old AS SELECT * FROM access_tokens")
    with town.database.write() as transaction:
        Administration(UNRESTRICTED).revoke_token(transaction, "ann", "laptop", at=NOW)
    town.attack("DELETE FROM access_tokens", "INSERT INTO access_tokens SELECT * FROM old")
    with pytest.raises(NotPermittedError, match="edited by hand"):
        actors.by_token(town.database, token, at=NOW)


@pytest.mark.parametrize(
    "statement", ["UPDATE users SET disabled = 0", "UPDATE users SET name = 'bob', name_key = 'bob'"]
)
def test_a_user_that_was_edited_by_hand_is_nobody(town: Town, statement: str) -> None:
    town.move_in("ann")
    token = issue(town, "ann")
    with town.database.write() as transaction:
        Administration(UNRESTRICTED).set_disabled(transaction, "ann", disabled=True, at=NOW)
    town.attack(statement)
    with pytest.raises(SealError, match="not as it was stored"):
        actors.by_token(town.database, token, at=NOW)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE user_groups SET members = '[\"{ann}\"]'",
        "INSERT INTO user_groups VALUES ('{id}', 0, 'Project Collection Administrators', '', '', '[\"{ann}\"]', '', 0, 0, '')",
    ],
)
def test_nobody_becomes_a_member_by_hand(town: Town, statement: str) -> None:
    from sluice.storage import groups

    town.move_in("ann", "bob")
    town.join("bob", "Contributors")
    token = issue(town, "ann")
    administrators = groups.default_id(None, groups.COLLECTION_ADMINISTRATORS)
    town.attack(statement.replace("{ann}", town.users["ann"].id).replace("{id}", administrators))
    with pytest.raises(SealError, match="not as it was stored"):
        actors.by_token(town.database, token, at=NOW)


def test_signing_in_is_recorded_once_for_many_uses(town: Town) -> None:
    town.move_in("ann")
    token = issue(town, "ann")
    for seconds in (0, 1, 60, 800, actors.SIGN_IN_SECONDS + 1):
        actors.by_token(town.database, token, at=NOW + seconds)
    assert sum("signed in" in line for line in town.logged()) == 2


def test_a_token_makes_no_token_that_may_do_more(town: Town) -> None:
    town.move_in("ann")
    guard = town.guard("ann", frozenset({"vso.build"}))
    with town.database.write() as transaction, pytest.raises(NotPermittedError, match="does not cover"):
        Administration(guard).create_token(transaction, "", "more", ["app_token"], days=1, at=NOW)


def test_the_account_that_owns_the_state_folder_is_the_local_administrator(town: Town) -> None:
    actor = actors.local(town.database)
    assert (actor.id, actor.administrator, actor.scopes) == (OWNER_ID, True, None)
