"""What of an entered group is stored."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.errors import NotFoundError, SluiceError, UsageError, VariableGroupInvalidError
from sluice.library import changes
from sluice.library.changes import Contents, check_group_description, check_group_name, fit_draft, merge
from sluice.library.group import GroupDraft, GroupUpdate, VariableGroup
from sluice.runtime import predefined
from sluice.secret import Secret


def group(variables: dict[str, str], secrets: set[str], references: dict[str, str]) -> VariableGroup:
    return VariableGroup(
        id="i",
        project_id=1,
        name="settings",
        description="",
        version=1,
        variables=variables,
        secrets=frozenset(secrets),
        references=references,
        created_by="a",
        created_at=0.0,
        modified_by="a",
        modified_at=0.0,
    )


SETTINGS = group({"Region": "north"}, {"token"}, {"key": "env:KEY"})


@pytest.mark.parametrize("name", ["", "  ", "x" * 257, "a\u200bb", "a\nb", "0d1f0a3e-0000-0000-0000-000000000000"])
def test_a_group_that_could_not_be_referred_to_is_refused(name: str) -> None:
    with pytest.raises(VariableGroupInvalidError):
        check_group_name(name)


def test_names_and_descriptions_are_cleaned() -> None:
    assert check_group_name("  my settings ") == "my settings"
    assert check_group_description(" d ") == "d"
    with pytest.raises(VariableGroupInvalidError):
        check_group_description("x" * 1025)


@pytest.mark.parametrize("name", ["", " ", "a)", "a(b", "a=b", "a\tb", "x" * 257])
def test_a_variable_that_could_not_be_referred_to_is_refused(name: str) -> None:
    with pytest.raises(VariableGroupInvalidError):
        fit_draft(GroupDraft(name="g", variables={name: "v"}))


@pytest.mark.parametrize("name", ["a", "A.b_c", "my var with spaces", "with-dash", "Ärger"])
def test_documented_names_of_variables_are_taken(name: str) -> None:
    assert fit_draft(GroupDraft(name="g", variables={name: "v"})).variables == {name: "v"}


def test_everything_that_is_wrong_is_told_at_once_and_no_secret_with_it() -> None:
    draft = GroupDraft(
        name="g",
        variables={"a=": "1", "b": "x\0y", "C": "1"},
        secrets={"c": Secret("hunter2-0815"), "blank": Secret("  "), "nul": Secret("hunter2\0")},
        references={"r": "hunter2-0815"},
    )
    with pytest.raises(VariableGroupInvalidError) as caught:
        fit_draft(draft, {})
    text = str(caught.value)
    for part in (
        "'a='",
        "'b' holds a NUL",
        "'c' is given twice",
        "'blank'",
        "'nul'",
        "'r': this is no secret reference",
    ):
        assert part in text
    assert "hunter2" not in text


def test_too_much_is_refused() -> None:
    with pytest.raises(VariableGroupInvalidError, match="1 MiB"):
        fit_draft(GroupDraft(name="g", variables={"a": "x" * ((1 << 20) + 1)}))
    with pytest.raises(VariableGroupInvalidError, match="8 MiB"):
        fit_draft(GroupDraft(name="g", variables={f"v{n}": "x" * (1 << 20) for n in range(9)}))
    with pytest.raises(VariableGroupInvalidError, match="10000 are allowed"):
        fit_draft(GroupDraft(name="g", variables={f"v{n}": "" for n in range(10_001)}))


def test_secrets_that_cannot_be_masked_and_reserved_names_are_warned_about() -> None:
    contents = fit_draft(GroupDraft(name="g", variables={"secretary": "x"}, secrets={"pin": Secret("12")}))
    assert any("'secretary' has a reserved name" in text for text in contents.warnings)
    assert any("'pin' is too short" in text for text in contents.warnings)


def test_reserved_names_are_those_of_the_runtime() -> None:
    assert changes.RESERVED_PREFIXES == predefined.RESERVED_PREFIXES


def test_an_update_keeps_what_it_does_not_name_and_the_first_spelling() -> None:
    contents = merge(SETTINGS, GroupUpdate(variables={"REGION": "south", "new": "1"}))
    assert contents.variables == {"Region": "south", "new": "1"}
    assert contents.kept == {"token"}
    assert contents.references == {"key": "env:KEY"}
    assert contents.changed == ("Region", "new")


def test_a_plain_value_does_not_take_the_place_of_a_secret_by_a_slip() -> None:
    for name in ("Token", "KEY"):
        with pytest.raises(UsageError, match="is secret") as caught:
            merge(SETTINGS, GroupUpdate(variables={name: "hunter2"}))
        assert "hunter2" not in str(caught.value)
    contents = merge(SETTINGS, GroupUpdate(variables={"token": "public"}, unset=("TOKEN",)))
    assert contents.variables == {"Region": "north", "token": "public"}
    assert contents.kept == frozenset()


def test_each_kind_of_value_takes_the_place_of_the_others() -> None:
    contents = merge(SETTINGS, GroupUpdate(secrets={"region": Secret("s-12345")}, references={"TOKEN": "env:T"}))
    assert contents.variables == {}
    assert contents.secrets == {"Region": Secret("s-12345")}
    assert contents.references == {"key": "env:KEY", "token": "env:T"}
    assert contents.kept == frozenset()
    assert set(contents.changed) == {"Region", "token"}


def test_removing_what_is_not_there_offers_the_nearest_name() -> None:
    with pytest.raises(NotFoundError, match="did you mean 'Region'"):
        merge(SETTINGS, GroupUpdate(unset=("regoin",)))


def test_what_stays_the_same_is_no_change_but_a_secret_is_that_nobody_may_guess() -> None:
    assert merge(SETTINGS, GroupUpdate(variables={"region": "north"}, references={"key": "env:KEY"})).changed == ()
    assert merge(SETTINGS, GroupUpdate(secrets={"token": Secret("the same?")})).changed == ("token",)


_NAMES = st.sampled_from(["a", "A", "b", "Ba", "c d", "x.y", " a ", "é", "e\u0301"])
_TEXTS = st.dictionaries(_NAMES, st.text(max_size=5), max_size=4)
_UPDATES = st.builds(
    GroupUpdate,
    variables=_TEXTS,
    secrets=st.dictionaries(_NAMES, st.text(max_size=5).map(Secret), max_size=3),
    references=st.dictionaries(_NAMES, st.sampled_from(["env:A", "file:/a", "nonsense", ""]), max_size=2),
    unset=st.lists(_NAMES, max_size=2).map(tuple),
)


@given(st.lists(_UPDATES, max_size=5))
def test_whatever_is_entered_every_name_has_one_place_and_is_once_there(updates: list[GroupUpdate]) -> None:
    now = group({}, set(), {})
    for update in updates:
        try:
            contents: Contents = merge(now, update, {})
        except SluiceError:
            continue
        now = group(dict(contents.variables), {*contents.secrets, *contents.kept}, dict(contents.references))
        everything = [*now.variables, *now.secrets, *now.references]
        assert len({name.casefold() for name in everything}) == len(everything)
        assert contents.kept.isdisjoint(contents.secrets)
