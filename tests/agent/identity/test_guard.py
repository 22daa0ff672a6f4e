"""What people may do with service connections by their roles, tried on the store itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from tests.agent.identity.conftest import NOW, Town

from sluice.authorization.roles import Level, Role
from sluice.connections import sharing
from sluice.connections.connection import ConnectionRecord, Draft, Update
from sluice.connections.guard import require_permit
from sluice.errors import ConflictError, NotFoundError, NotPermittedError, SealError
from sluice.identity import assignments
from sluice.identity.administration import Administration
from sluice.secret import Secret
from sluice.storage import groups, permissions, projects
from sluice.storage.permissions import Resource

Deed = Callable[[Town, ConnectionRecord], object]


def permit(town: Town, record: ConnectionRecord, pipeline_id: int) -> None:
    resource = Resource(record.project_id, record.id)
    with town.database.write() as transaction:
        require_permit(town.guard("ann"), transaction, resource, record.name, pipeline_id)


def edit(town: Town, record: ConnectionRecord) -> None:
    update = Update(url="https://evil.example", secrets={"apitoken": Secret("another-0123")})
    town.store("ann").update("default", record.id, update, by="ann")


def new_draft(name: str) -> Draft:
    secrets = {"apitoken": Secret("token-0123456789")}
    return Draft(name=name, type="depot", url="https://x.example", secrets=secrets)


def through(name: str) -> Update:
    return Update(values={"Via": name}, secrets={"apitoken": Secret("another-0123")})


def link(town: Town, record: ConnectionRecord) -> None:
    town.join("ann", groups.ENDPOINT_CREATORS)
    town.make("mine", by="ann")
    town.store("ann").update("default", "mine", through(record.name), by="ann")


def share(town: Town, record: ConnectionRecord) -> None:
    town.join("ann", groups.ENDPOINT_CREATORS, "shop")
    sharing.share(town.store("ann"), "default", record.id, "shop", by="ann", at=NOW)


DEEDS: Mapping[str, Deed] = {
    "see": lambda town, record: town.store("ann").get("default", record.id),
    "use": link,
    "permit": lambda town, record: permit(town, record, 7),
    "open": lambda town, record: permit(town, record, permissions.ALL_PIPELINES),
    "rename": lambda town, record: town.store("ann").update("default", record.id, Update(name="new"), by="ann"),
    "edit": edit,
    "delete": lambda town, record: town.store("ann").delete("default", record.id, by="ann"),
    "roles": lambda town, record: town.give("bob", Role.READER, town.place(record), by="ann"),
    "roles above": lambda town, record: town.give(
        "bob", Role.ADMINISTRATOR, town.place(record, Level.ORGANIZATION), by="ann"
    ),
    "share": share,
    "create": lambda town, _: town.store("ann").create("default", new_draft("other"), by="ann"),
}
USER = {"see", "use", "permit"}
ADMINISTRATOR = USER | {"open", "rename", "delete", "roles"}
ROWS = [
    (None, Level.PROJECT, set()),
    (Role.READER, Level.PROJECT, {"see"}),
    (Role.READER, Level.HUB, {"see"}),
    (Role.USER, Level.PROJECT, USER),
    (Role.USER, Level.HUB, USER),
    (Role.CREATOR, Level.HUB, {"create"}),
    (Role.ADMINISTRATOR, Level.PROJECT, ADMINISTRATOR),
    (Role.ADMINISTRATOR, Level.HUB, ADMINISTRATOR),
    (Role.ADMINISTRATOR, Level.ORGANIZATION, USER | {"open", "rename", "edit", "delete", "roles above", "share"}),
]


@pytest.mark.parametrize("deed", list(DEEDS))
@pytest.mark.parametrize(("role", "level", "may"), ROWS)
def test_what_a_role_lets_do(town: Town, role: Role | None, level: Level, may: set[str], deed: str) -> None:
    town.move_in("ann", "bob")
    town.project("shop")
    record = town.make()
    if role:
        town.give("ann", role, town.hub() if level is Level.HUB else town.place(record, level))
    if deed in may:
        DEEDS[deed](town, record)
    else:
        with pytest.raises((NotPermittedError, NotFoundError)):
            DEEDS[deed](town, record)


def test_what_was_refused_is_taken_back_and_told(town: Town) -> None:
    town.move_in("ann")
    record = town.make()
    town.give("ann", Role.USER, town.place(record))
    with pytest.raises(NotPermittedError) as refused:
        town.store("ann").delete("default", "depot", by="ann")
    assert "takes the role Administrator, and you are its User" in refused.value.why
    assert "ask one of its administrators:" in refused.value.do
    assert town.store().get("default", "depot") == record
    assert town.logged()[-1] == 'Refused to ann: delete (endpoint "depot").'
    with pytest.raises(NotPermittedError):
        permit(town, record, permissions.ALL_PIPELINES)
    assert town.logged()[-1].startswith("Did not authorize endpoint resource")


def test_what_only_administrators_do_is_told_when_another_tries(town: Town) -> None:
    town.move_in("ann")
    with pytest.raises(NotPermittedError), town.database.write() as transaction:
        Administration(town.guard("ann")).create_user(transaction, "eve", at=NOW)
    assert town.logged()[-1] == 'Refused to ann: create a user (organization "local").'
    with pytest.raises(NotPermittedError):
        DEEDS["create"](town, town.make())
    assert town.logged()[-1] == 'Refused to ann: create (endpoint in project "default").'


def test_who_creates_a_connection_is_administrator_of_it_on_both_levels(town: Town) -> None:
    town.move_in("ann")
    town.join("ann", groups.ENDPOINT_CREATORS)
    record = town.make("mine", by="ann")
    edit(town, record)
    assert [one.name for one in town.store("ann").list("default")] == ["mine"]
    assert town.logged()[-3:-1] == ['Permission "ServiceEndpoints\\Role" was set to Administrator for ann'] * 2


def test_only_what_a_person_sees_is_listed(town: Town) -> None:
    town.move_in("ann")
    first = town.make("first")
    town.make("second")
    assert town.store("ann").list("default") == ()
    town.give("ann", Role.READER, town.place(first))
    assert [one.name for one in town.store("ann").list("default")] == ["first"]


@pytest.mark.parametrize("spelling", ["depot", "DEPOT", " depot ", "d\u0435pot", "id", "ID"])
def test_what_a_person_does_not_see_is_answered_like_what_is_not_there(town: Town, spelling: str) -> None:
    town.move_in("ann")
    record = town.make()
    asked = {"id": record.id, "ID": record.id.upper()}.get(spelling, spelling)
    with pytest.raises(NotFoundError) as hidden:
        town.store("ann").get("default", asked)
    town.store().delete("default", record.id, by="root")
    with pytest.raises(NotFoundError) as missing:
        town.store("ann").get("default", asked)
    assert str(hidden.value) == str(missing.value)


def test_a_name_that_a_person_does_not_see_is_no_hint(town: Town) -> None:
    town.move_in("ann")
    town.make("production")
    with pytest.raises(NotFoundError) as refused:
        town.store("ann").get("default", "productio")
    assert "production'" not in str(refused.value)


def test_a_role_in_one_project_is_none_in_another(town: Town) -> None:
    town.move_in("ann")
    town.project("shop")
    record, other = town.make(), town.make("depot", project="shop")
    town.give("ann", Role.ADMINISTRATOR, town.place(record))
    for asked in ("depot", other.id, record.id):
        with pytest.raises(NotFoundError):
            town.store("ann").get("shop", asked)


def test_a_link_to_a_connection_takes_the_right_to_use_it(town: Town) -> None:
    town.move_in("ann")
    town.join("ann", groups.ENDPOINT_CREATORS)
    jump = town.make("jump")
    town.make("mine", by="ann")
    with pytest.raises(NotFoundError, match="the service connection 'jump' does not exist"):
        town.store("ann").update("default", "mine", through("jump"), by="ann")
    town.give("ann", Role.READER, town.place(jump))
    with pytest.raises(NotPermittedError, match="you may not use the service connection 'jump'"):
        town.store("ann").update("default", "mine", through("jump"), by="ann")
    town.give("ann", Role.USER, town.place(jump))
    town.store("ann").update("default", "mine", through("jump"), by="ann")
    town.give("ann", Role.READER, town.place(jump))  # what it goes through already is no new link
    town.store("ann").update("default", "mine", Update(description="x"), by="ann")


def test_a_group_gives_its_members_its_roles(town: Town) -> None:
    town.move_in("ann")
    record = town.make()
    with town.database.write() as transaction:
        home = projects.find(transaction, "default")
        subject = assignments.find_subject(transaction, home, "[default]\\Contributors")
        assignments.set_role(transaction, town.guard(), town.place(record), subject, Role.USER, at=NOW)
    with pytest.raises(NotFoundError):
        town.store("ann").get("default", "depot")
    town.join("ann", "Contributors")
    assert town.store("ann").get("default", "depot") == record


def test_administrators_of_the_organization_may_do_everything(town: Town) -> None:
    town.move_in("ann", "bob")
    record = town.make()
    town.join("ann", "[local]\\Project Collection Administrators")
    edit(town, record)
    town.give("bob", Role.READER, town.place(record), by="ann")


@pytest.mark.parametrize(
    ("scopes", "may"),
    [
        ({"app_token"}, {"see", "edit"}),
        ({"vso.serviceendpoint"}, {"see"}),
        ({"vso.serviceendpoint_manage"}, {"see", "edit"}),
        ({"vso.build_execute"}, set()),
    ],
)
def test_a_token_may_do_no_more_than_its_scopes_say(town: Town, scopes: set[str], may: set[str]) -> None:
    town.move_in("ann")
    town.join("ann", "[local]\\Project Collection Administrators")
    town.make()
    store = town.store("ann", frozenset(scopes))
    deeds: dict[str, Callable[[], object]] = {
        "see": lambda: store.get("default", "depot"),
        "edit": lambda: store.update("default", "depot", Update(description="x"), by="ann"),
    }
    for name, deed in deeds.items():
        if name in may:
            deed()
        else:
            with pytest.raises(NotPermittedError, match="the access token does not cover this"):
                deed()


ROLES_BY_HAND = [
    "UPDATE role_assignments SET assignments = replace(assignments, 'Reader', 'Administrator')",
    "UPDATE role_assignments SET inherit = 1",
    "UPDATE role_assignments SET resource_id = 'other'",
    "DELETE FROM role_assignments",
]


@pytest.mark.parametrize("statement", ROLES_BY_HAND)
def test_roles_that_were_edited_by_hand_give_nobody_anything(town: Town, statement: str) -> None:
    town.move_in("ann")
    record = town.make()
    town.give("ann", Role.READER, town.place(record))
    with town.database.write() as transaction:
        assignments.set_inheritance(transaction, town.guard(), town.place(record), on=False, at=NOW)
    town.attack(statement)
    with pytest.raises(SealError, match="not as they were stored"):
        town.store("ann").delete("default", record.id, by="ann")
    assert town.store("ann").list("default") == ()
    town.give("ann", Role.READER, town.place(record))  # the administrator's way back
    assert town.store("ann").get("default", "depot") == record


def test_roles_in_a_project_are_not_moved_to_the_organization_by_hand(town: Town) -> None:
    town.move_in("ann")
    record = town.make()
    town.give("ann", Role.ADMINISTRATOR, town.place(record))
    town.attack("UPDATE role_assignments SET project_id = 0")
    with pytest.raises(SealError, match="not as they were stored"):
        edit(town, record)


def test_roles_that_were_taken_away_are_not_put_back_by_hand(town: Town) -> None:
    town.move_in("ann")
    record = town.make()
    town.give("ann", Role.ADMINISTRATOR, town.place(record))
    town.attack("CREATE TABLE old AS SELECT * FROM role_assignments")
    town.take("ann", town.place(record))
    town.attack("DELETE FROM role_assignments", "INSERT INTO role_assignments SELECT * FROM old")
    with pytest.raises(SealError):
        town.store("ann").get("default", "depot")


def test_the_last_administrator_of_a_connection_stays(town: Town) -> None:
    town.move_in("ann", "bob")
    town.join("ann", groups.ENDPOINT_CREATORS)
    record = town.make("mine", by="ann")
    above = town.place(record, Level.ORGANIZATION)
    with pytest.raises(ConflictError, match="the last Administrator"):
        town.take("ann", above, by="ann")
    town.give("bob", Role.ADMINISTRATOR, above, by="ann")
    town.take("ann", above, by="ann")
    with pytest.raises(NotPermittedError):
        town.take("bob", above, by="ann")
