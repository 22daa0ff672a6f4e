"""Users, groups, projects and tokens: who may change them, and what stays."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.agent.identity.conftest import NOW, Town

from sluice.authorization.roles import Role
from sluice.connections.guard import UNRESTRICTED
from sluice.errors import ConflictError, NotFoundError, NotPermittedError, UsageError
from sluice.identity.administration import Administration
from sluice.storage import accounts, audit, groups, people, projects, vouched
from sluice.storage.engine import Transaction

Deed = Callable[[Administration, Transaction], object]

DEEDS: dict[str, Deed] = {
    "project": lambda one, tx: one.create_project(tx, "new", at=NOW),
    "delete project": lambda one, tx: one.delete_project(tx, "shop", at=NOW),
    "user": lambda one, tx: one.create_user(tx, "eve", at=NOW),
    "disable": lambda one, tx: one.set_disabled(tx, "bob", disabled=True, at=NOW),
    "delete user": lambda one, tx: one.delete_user(tx, "bob", at=NOW),
    "group": lambda one, tx: one.create_group(tx, projects.find(tx, "default"), "crew", at=NOW),
    "member": lambda one, tx: one.add_member(tx, projects.find(tx, "default"), "Contributors", "bob", at=NOW),
    "other project": lambda one, tx: one.add_member(tx, projects.find(tx, "shop"), "Contributors", "bob", at=NOW),
    "organization": lambda one, tx: one.add_member(
        tx, projects.find(tx, "default"), "[local]\\Project Collection Administrators", "ann", at=NOW
    ),
    "own token": lambda one, tx: one.create_token(tx, "", "t", ["vso.build"], days=1, at=NOW),
    "other's token": lambda one, tx: one.create_token(tx, "bob", "t", ["vso.build"], days=1, at=NOW),
    "other's tokens": lambda one, tx: one.tokens_of(tx, "bob"),
}
ROWS = [
    ("", {"own token"}),
    ("Contributors", {"own token"}),
    ("Project Administrators", {"own token", "group", "member"}),
    ("[local]\\Project Collection Administrators", set(DEEDS)),
]


@pytest.mark.parametrize("deed", list(DEEDS))
@pytest.mark.parametrize(("group", "may"), ROWS)
def test_who_may_administer_what(town: Town, group: str, may: set[str], deed: str) -> None:
    town.move_in("ann", "bob")
    town.project("shop")
    if group:
        town.join("ann", group)
    administration = Administration(town.guard("ann"))
    with town.database.write() as transaction:
        if deed in may:
            DEEDS[deed](administration, transaction)
        else:
            with pytest.raises(NotPermittedError):
                DEEDS[deed](administration, transaction)


def test_the_local_administrator_is_not_removed_disabled_or_taken_for_another(town: Town) -> None:
    name = accounts.owner_of(town.home)
    with town.database.write() as transaction:
        administration = Administration(UNRESTRICTED)
        home = projects.find(transaction, "default")
        with pytest.raises(ConflictError, match="exists already"):
            administration.create_user(transaction, name.upper(), at=NOW)
        with pytest.raises(ConflictError, match="the last administrator cannot be removed"):
            administration.delete_user(transaction, name, at=NOW)
        with pytest.raises(ConflictError, match="the last administrator cannot be removed"):
            administration.set_disabled(transaction, name, disabled=True, at=NOW)
        for group in ("Project Administrators", "[local]\\Project Collection Administrators"):
            with pytest.raises(ConflictError, match="the last administrator cannot be removed"):
                administration.remove_member(transaction, home, group, name, at=NOW)


def test_every_project_has_its_groups_and_they_stay(town: Town) -> None:
    with town.database.write() as transaction:
        home = Administration(UNRESTRICTED).create_project(transaction, "shop", at=NOW)
        assert [group.full_name for group in groups.listed(transaction, home)] == [
            "[shop]\\Contributors",
            "[shop]\\Endpoint Administrators",
            "[shop]\\Endpoint Creators",
            "[shop]\\Project Administrators",
        ]
        with pytest.raises(ConflictError, match="by definition"):
            Administration(UNRESTRICTED).delete_group(transaction, home, "Contributors", at=NOW)
        with pytest.raises(ConflictError, match="exists already"):
            Administration(UNRESTRICTED).create_group(transaction, home, "contributors", at=NOW)


def test_a_project_that_holds_something_stays(town: Town) -> None:
    town.project("shop")
    record = town.make(project="shop")
    with town.database.write() as transaction, pytest.raises(ConflictError, match="it has service connections"):
        Administration(UNRESTRICTED).delete_project(transaction, "shop", at=NOW)
    town.store().delete("shop", record.id, by="root", for_good=True)
    with town.database.write() as transaction:
        Administration(UNRESTRICTED).delete_project(transaction, "shop", at=NOW)
        with pytest.raises(ConflictError, match="the only project"):
            Administration(UNRESTRICTED).delete_project(transaction, "default", at=NOW)


def test_a_project_that_had_people_leaves_the_log_whole(town: Town) -> None:
    town.move_in("ann")
    town.project("shop")
    town.join("ann", "Contributors", "shop")
    town.give("ann", Role.USER, town.hub(project_id=2))
    with town.database.write() as transaction:
        Administration(UNRESTRICTED).delete_project(transaction, "shop", at=NOW)
    assert town.guard("ann").actor.groups == ()
    with town.database.read() as transaction:
        assert list(vouched.broken(transaction)) == []
        assert audit.verify(transaction).breaches == ()


@pytest.mark.parametrize("name", ["", "  ", "[x]", "a\u200bb", "x" * 300, "00000000-0000-4000-8000-000000000009"])
def test_what_is_no_name_is_refused(town: Town, name: str) -> None:
    with town.database.write() as transaction:
        for make in (
            lambda: people.create(transaction, name, by="me", at=NOW),
            lambda: groups.create(transaction, None, name, by="me", at=NOW),
            lambda: projects.create(transaction, name, by="me", at=NOW),
        ):
            with pytest.raises(UsageError):
                make()


def test_a_slip_of_the_pen_makes_no_project(town: Town) -> None:
    town.project("shop")
    with pytest.raises(NotFoundError, match="did you mean 'shop'"):
        town.make(project="shopp")
    assert town.make(project="warehouse").project_id == 3
    town.move_in("ann")
    town.join("ann", "Endpoint Creators")
    with pytest.raises(NotPermittedError, match="you may not make the project 'elsewhere'"):
        town.make(by="ann", project="elsewhere")


def test_everything_about_people_is_in_the_log_and_vouched_for(town: Town) -> None:
    town.move_in("ann")
    with town.database.write() as transaction:
        administration = Administration(UNRESTRICTED)
        home = projects.find(transaction, "default")
        administration.create_group(transaction, home, "crew", at=NOW)
        administration.add_member(transaction, home, "crew", "ann", at=NOW)
        administration.create_token(transaction, "ann", "laptop", ["vso.build"], days=1, at=NOW)
        administration.revoke_token(transaction, "ann", "laptop", at=NOW)
        administration.remove_member(transaction, home, "crew", "ann", at=NOW)
        administration.delete_group(transaction, home, "crew", at=NOW)
        administration.delete_user(transaction, "ann", at=NOW)
    with town.database.read() as transaction:
        assert list(vouched.broken(transaction)) == []
        assert audit.verify(transaction).breaches == ()
    assert town.logged() == [
        "Created user ann.",
        "Created group [default]\\crew.",
        "ann was added as a member of group [default]\\crew",
        'Personal access token "laptop" of ann was created.',
        'Personal access token "laptop" of ann was revoked.',
        "ann was removed as a member of group [default]\\crew",
        "Deleted group [default]\\crew.",
        "Deleted user ann.",
    ]


def test_what_was_written_by_hand_is_named_by_the_check_of_the_log(town: Town) -> None:
    town.move_in("ann")
    town.join("ann", "Contributors")
    town.attack(
        "UPDATE users SET display_name = 'Root'",
        "UPDATE user_groups SET description = 'x'",
        "INSERT INTO role_assignments VALUES (1, 'endpoint', 'x', '{}', 1, 0, '')",
        "INSERT INTO access_tokens VALUES ('i', 'u', 'n', 'p', 'h', 's', 0, 1, NULL, NULL, 0, '')",
    )
    with town.database.read() as transaction:
        found = " ".join(vouched.broken(transaction))
    assert all(
        f"the {what}" in found for what in ("user ann", "group Contributors", "roles of endpoint x", "access token n")
    )
