"""What each role lets do, how the project's roles come down to a resource, and what may be changed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.authorization.resources import ENDPOINT, ENVIRONMENT, SECURE_FILE, VARIABLE_GROUP
from sluice.authorization.roles import (
    PIPELINE,
    Assignments,
    Held,
    Level,
    Role,
    assign,
    hub_rights,
    in_force,
    needed,
    refusal,
    rights,
    rights_of,
    set_inheritance,
    withdraw,
)
from sluice.errors import ConflictError, UsageError
from sluice.rights import Right

SEE, USE, PERMIT, OPEN = Right.SEE, Right.USE, Right.PERMIT, Right.OPEN_ACCESS
EDIT, NAME, DELETE, SHARE = Right.EDIT, Right.EDIT_PROJECT_FIELDS, Right.DELETE, Right.SHARE
ROLES, ABOVE, CHECKS, BYPASS = Right.MANAGE_ROLES, Right.MANAGE_ORGANIZATION_ROLES, Right.MANAGE_CHECKS, Right.BYPASS
CREATE = Right.CREATE

# the rows of the role table (reference: authorization model, section 1), with its "safe reading" of User
TABLE = [
    (Role.READER, Level.HUB, {SEE}),
    (Role.READER, Level.PROJECT, {SEE}),
    (Role.USER, Level.HUB, {SEE, USE, PERMIT}),
    (Role.USER, Level.PROJECT, {SEE, USE, PERMIT}),
    (Role.CREATOR, Level.HUB, {CREATE}),
    (Role.CREATOR, Level.PROJECT, set()),
    (Role.ADMINISTRATOR, Level.HUB, {SEE, USE, PERMIT, OPEN, NAME, DELETE, ROLES, CHECKS, BYPASS}),
    (Role.ADMINISTRATOR, Level.PROJECT, {SEE, USE, PERMIT, OPEN, NAME, DELETE, ROLES, CHECKS, BYPASS}),
    (Role.ADMINISTRATOR, Level.ORGANIZATION, {SEE, USE, PERMIT, OPEN, NAME, EDIT, DELETE, SHARE, ABOVE}),
    (Role.READER, Level.ORGANIZATION, set()),
    (Role.USER, Level.ORGANIZATION, set()),
]


@pytest.mark.parametrize(("role", "level", "expected"), TABLE)
def test_a_row_of_the_role_table(role: Role, level: Level, expected: set[Right]) -> None:
    assert rights_of(role, level) == expected


@pytest.mark.parametrize("right", list(Right))
def test_every_right_says_which_role_gives_it(right: Right) -> None:
    words = needed(right)
    given_by = {role for role in Role if right in rights_of(role, Level.PROJECT)}
    assert all((role in words) == (role in given_by) for role in Role if given_by)
    assert ("organization" in words) == (right in {EDIT, SHARE, ABOVE})


@pytest.mark.parametrize("kind", [VARIABLE_GROUP, SECURE_FILE, ENVIRONMENT, PIPELINE])
def test_what_lives_in_one_project_is_changed_by_its_administrators(kind: str) -> None:
    assert EDIT in rights_of(Role.ADMINISTRATOR, Level.PROJECT, kind)
    assert EDIT not in rights_of(Role.USER, Level.PROJECT, kind)


def test_who_may_make_pipelines_sees_and_starts_those_of_the_project() -> None:
    assert rights_of(Role.CREATOR, Level.PROJECT, PIPELINE) == {SEE, USE}
    assert rights_of(Role.CREATOR, Level.HUB, PIPELINE) == {SEE, USE, CREATE}


def held(
    own: dict[str, Role] | None = None,
    hub: dict[str, Role] | None = None,
    organization: dict[str, Role] | None = None,
    *,
    inherit: bool = True,
) -> Held:
    return Held(
        ENDPOINT,
        Assignments(hub or {}, inherit=False),
        Assignments(own or {}, inherit),
        Assignments(organization or {}, inherit=False),
    )


def test_the_roles_of_the_project_come_down_to_a_resource() -> None:
    assert rights(["ann"], held(hub={"ann": Role.USER})) == {SEE, USE, PERMIT}


def test_without_inheritance_only_a_resources_own_roles_hold() -> None:
    assert rights(["ann"], held(hub={"ann": Role.ADMINISTRATOR}, inherit=False)) == frozenset()


def test_a_role_of_ones_own_takes_the_place_of_the_inherited_one() -> None:
    assert rights(["ann"], held(own={"ann": Role.READER}, hub={"ann": Role.ADMINISTRATOR})) == {SEE}


def test_of_several_memberships_the_union_counts() -> None:
    assert rights(["ann", "crew"], held(own={"ann": Role.READER, "crew": Role.USER})) == {SEE, USE, PERMIT}
    both = rights(["ann"], held(own={"ann": Role.ADMINISTRATOR}, organization={"ann": Role.ADMINISTRATOR}))
    assert both == rights_of(Role.ADMINISTRATOR, Level.PROJECT) | rights_of(Role.ADMINISTRATOR, Level.ORGANIZATION)


def test_the_organization_level_holds_where_the_project_gives_nothing() -> None:
    assert EDIT in rights(["ann"], held(organization={"ann": Role.ADMINISTRATOR}, inherit=False))


def test_somebody_without_a_role_may_do_nothing() -> None:
    assert rights(["eve"], held(own={"ann": Role.ADMINISTRATOR}, hub={"bob": Role.USER})) == frozenset()


def test_creating_is_a_matter_of_the_hub() -> None:
    hub = Assignments({"crew": Role.CREATOR, "bob": Role.ADMINISTRATOR}, inherit=False)
    assert CREATE in hub_rights(["ann", "crew"], hub, ENDPOINT)
    assert CREATE not in hub_rights(["bob"], hub, ENDPOINT)


ADMINISTRATED = Assignments({"root": Role.ADMINISTRATOR})
HUB = Assignments({"crew": Role.USER, "boss": Role.ADMINISTRATOR}, inherit=False)


def test_an_inherited_role_cannot_be_lowered_while_it_is_inherited() -> None:
    with pytest.raises(ConflictError, match=r"inherited from the project \(User\), and cannot be lowered"):
        assign(HUB, ADMINISTRATED, "crew", Role.READER, level=Level.PROJECT)
    after = assign(HUB, Assignments(ADMINISTRATED.roles, inherit=False), "crew", Role.READER, level=Level.PROJECT)
    assert after.roles["crew"] is Role.READER


def test_an_inherited_role_may_be_raised() -> None:
    after = assign(HUB, ADMINISTRATED, "crew", Role.ADMINISTRATOR, level=Level.PROJECT)
    assert not in_force(HUB, after)["crew"].inherited


def test_an_inherited_role_cannot_be_removed() -> None:
    with pytest.raises(ConflictError, match="inherited from the project"):
        withdraw(HUB, ADMINISTRATED, "crew", level=Level.PROJECT)


def test_what_is_not_there_cannot_be_removed() -> None:
    with pytest.raises(ConflictError, match="no role to remove"):
        withdraw(HUB, ADMINISTRATED, "eve", level=Level.PROJECT)


@pytest.mark.parametrize("level", list(Level))
def test_the_last_administrator_cannot_be_removed(level: Level) -> None:
    nobody = Assignments(inherit=False)
    own = Assignments({"ann": Role.ADMINISTRATOR}, inherit=False)
    with pytest.raises(ConflictError, match="the last Administrator cannot be removed"):
        withdraw(nobody, own, "ann", level=level)
    two = assign(nobody, own, "bob", Role.ADMINISTRATOR, level=level)
    assert dict(withdraw(nobody, two, "ann", level=level).roles) == {"bob": Role.ADMINISTRATOR}


def test_the_last_administrator_cannot_be_lowered() -> None:
    own = Assignments({"ann": Role.ADMINISTRATOR}, inherit=False)
    with pytest.raises(ConflictError, match="the last Administrator"):
        assign(HUB, own, "ann", Role.USER, level=Level.PROJECT)


def test_an_inherited_administrator_is_one_too() -> None:
    assert withdraw(HUB, ADMINISTRATED, "root", level=Level.PROJECT).roles == {}


def test_inheritance_stays_where_nobody_else_administers() -> None:
    with pytest.raises(ConflictError, match="the last Administrator"):
        set_inheritance(HUB, Assignments({"ann": Role.USER}), on=False)


def test_turning_inheritance_on_again_resets_to_the_projects_roles() -> None:
    own = Assignments({"crew": Role.READER, "ann": Role.ADMINISTRATOR}, inherit=False)
    after = set_inheritance(HUB, own, on=True)
    assert {name: one.role for name, one in in_force(HUB, after).items()} == {
        "ann": Role.ADMINISTRATOR,
        "crew": Role.USER,
        "boss": Role.ADMINISTRATOR,
    }


@pytest.mark.parametrize(
    ("level", "role"),
    [(Level.ORGANIZATION, Role.USER), (Level.ORGANIZATION, Role.CREATOR), (Level.PROJECT, Role.CREATOR)],
)
def test_a_level_has_its_own_roles_only(level: Level, role: Role) -> None:
    with pytest.raises(UsageError):
        assign(HUB, ADMINISTRATED, "ann", role, level=level)


def test_a_refusal_says_what_is_missing() -> None:
    what, why = refusal(PERMIT, ENDPOINT, "web", Role.READER)
    assert what == "you may not permit a pipeline to use the service connection 'web'"
    assert why == "that takes the role User or Administrator, and you are its Reader"
    _, why = refusal(EDIT, ENDPOINT, "web", Role.ADMINISTRATOR)
    assert why.endswith("of the organization level, and you are its Administrator in this project")
    assert refusal(CREATE, ENVIRONMENT, "", None)[0] == "you may not create an environment in this project"
    assert refusal(USE, PIPELINE, "release", None)[0] == "you may not start or stop runs of the pipeline 'release'"


SUBJECTS = st.sampled_from(["ann", "bob", "crew", "boss"])
OBJECT_ROLES = st.sampled_from([Role.READER, Role.USER, Role.ADMINISTRATOR])
STEPS = st.one_of(
    st.tuples(st.just("assign"), SUBJECTS, OBJECT_ROLES),
    st.tuples(st.just("withdraw"), SUBJECTS, st.none()),
    st.tuples(st.just("inherit"), st.none(), st.none()),
    st.tuples(st.just("cut"), st.none(), st.none()),
)
RANK = {None: 0, Role.CREATOR: 0, Role.READER: 1, Role.USER: 2, Role.ADMINISTRATOR: 3}


class Model:
    """A list of who has what on a resource, as a person would keep it on paper: one line a subject."""

    def __init__(self, hub: dict[str, Role]) -> None:
        self.hub = hub
        self.lines: dict[str, tuple[Role, bool]] = {name: (role, True) for name, role in hub.items()}
        self.lines["root"] = (Role.ADMINISTRATOR, False)
        self.on = True

    def apply(self, step: tuple[str, str | None, Role | None]) -> bool:
        """Whether the step is allowed; then it is taken."""
        kind, subject, role = step
        lines = dict(self.lines)
        if kind == "assign" and subject and role:
            if self.on and RANK[role] < RANK[self.hub.get(subject)]:
                return False
            lines[subject] = (role, False)
        elif kind == "withdraw" and subject:
            if subject not in lines or lines[subject][1]:
                return False
            del lines[subject]
            if self.on and subject in self.hub:
                lines[subject] = (self.hub[subject], True)
        elif kind == "cut":
            lines = {name: line for name, line in lines.items() if not line[1]}
        elif kind == "inherit" and not self.on:
            lines.update({name: (role, True) for name, role in self.hub.items()})
        if not any(role is Role.ADMINISTRATOR for role, _ in lines.values()):
            return False
        self.lines, self.on = lines, {"cut": False, "inherit": True}.get(kind, self.on)
        return True


@given(hub=st.dictionaries(SUBJECTS, st.sampled_from(list(Role))), steps=st.lists(STEPS, max_size=12))
def test_inheritance_is_what_one_would_write_down(
    hub: dict[str, Role], steps: list[tuple[str, str | None, Role | None]]
) -> None:
    above, own, model = Assignments(hub, inherit=False), ADMINISTRATED, Model(hub)
    for step in steps:
        kind, subject, role = step
        try:
            if kind == "assign":
                assert subject is not None
                assert role is not None
                after = assign(above, own, subject, role, level=Level.PROJECT)
            elif kind == "withdraw":
                assert subject is not None
                after = withdraw(above, own, subject, level=Level.PROJECT)
            else:
                after = set_inheritance(above, own, on=kind == "inherit")
        except ConflictError:
            assert not model.apply(step)
        else:
            assert model.apply(step)
            own = after
        found = {name: (one.role, one.inherited) for name, one in in_force(above, own).items()}
        assert found == model.lines
        assert own.inherit == model.on
