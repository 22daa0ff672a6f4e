from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.language import macros
from sluice.language.macros import expand, names_in, resolve_all
from sluice.secret import Secret

VALUES: dict[str, str | Secret] = {"a": "1", "b.c": "2", "my var": "3", "empty": "", "nested": "$(a)", "s": Secret("x")}

pieces = st.sampled_from(["$(", ")", "$", "(", "a", "b", "$(a)", "$(b)", "$(c)", "$(s)", " ", "x"])
texts = st.lists(pieces, max_size=12).map("".join)


def lookup(name: str) -> str | Secret | None:
    return VALUES.get(name.lower())


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("", ""),
        ("plain", "plain"),
        ("$(a)", "1"),
        ("<$(A)$(b.C)>", "<12>"),
        ("$(my var)", "3"),
        ("$(empty)", ""),
        ("$(none)", "$(none)"),
        ("$()", "$()"),
        ("$(a", "$(a"),
        ("$(x$(a))", "$(x1)"),
        ("$($(a)", "$(1"),
        ("$$(a))", "$1)"),
        ("$(none)$(a)", "$(none)1"),
        ("$(nested)", "$(a)"),
        ("$($(empty)a)", "$(a)"),
        ("$( a )", "$( a )"),
        ("${{ a }} $[ a ] %a%", "${{ a }} $[ a ] %a%"),
    ],
)
def test_a_macro_is_replaced_and_anything_else_left_alone(text: str, expanded: str) -> None:
    assert expand(text, lookup) == expanded


def test_a_secret_part_makes_the_whole_text_secret() -> None:
    assert expand("<$(s)$(a)>", lookup) == Secret("<x1>")
    assert expand("<$(a)>", lookup) == "<1>"


def test_every_name_that_a_text_may_mean_is_found() -> None:
    assert names_in("$(a)-$(b$(c))-$()-$(d") == ("a", "b$(c", "c")


def test_a_text_that_would_be_too_long_is_refused() -> None:
    with pytest.raises(macros.MacroError, match="longer than"):
        expand("$(x)" * 20, lambda _: "x" * 1_000_000)


@pytest.mark.parametrize(
    "text", ["$(" * 300_000 + ")", "$(" * 300_000, "$()" * 200_000, ")" * 500_000, "$(a" * 200_000]
)
def test_hostile_texts_take_little_time(text: str) -> None:
    started = time.perf_counter()
    assert expand(text, lookup) == text
    assert time.perf_counter() - started < 5


@given(texts)
def test_a_text_whose_names_mean_nothing_comes_back_unchanged(text: str) -> None:
    assert expand(text, lambda _: None) == text


@given(texts)
def test_names_that_stand_for_their_own_macros_change_nothing(text: str) -> None:
    assert expand(text, lambda name: f"$({name})") == text


@given(st.dictionaries(st.sampled_from("abcs"), texts, max_size=4))
def test_any_variables_are_resolved_or_warned_about(variables: dict[str, str]) -> None:
    resolved = resolve_all(variables)
    assert list(resolved.values) == list(variables)
    for name, value in variables.items():
        warned = any(f"'{name}'" in warning for warning in resolved.warnings)
        if warned:
            assert resolved.values[name] == value
        else:
            assert resolved.values[name] == expand(value, resolved.values.get)


def test_variables_are_resolved_through_others_whatever_their_order_and_case() -> None:
    resolved = resolve_all(
        {"url": "http://$(HOST):$(port)/$(unknown)", "Host": "$(name).local", "name": "h", "port": "1"}
    )
    assert resolved.values["url"] == "http://h.local:1/$(unknown)"
    assert resolved.warnings == ()


def test_a_secret_behind_a_variable_makes_it_secret() -> None:
    resolved = resolve_all({"a": "<$(b)>", "b": "$(s)", "s": Secret("x"), "t": Secret("$(a)"), "plain": "y"})
    assert resolved.values == {
        "a": Secret("<x>"),
        "b": Secret("x"),
        "s": Secret("x"),
        "t": Secret("<x>"),
        "plain": "y",
    }


def test_a_circle_is_left_alone_with_whatever_leads_into_it() -> None:
    resolved = resolve_all({"into": "$(A)", "a": "$(b)", "b": "$(a)", "self": "$(self)", "fine": "1"})
    assert resolved.values == {"into": "$(A)", "a": "$(b)", "b": "$(a)", "self": "$(self)", "fine": "1"}
    assert resolved.warnings == tuple(
        f"Unable to expand variable '{name}'. A cyclical reference was detected." for name in ("into", "a", "b", "self")
    )


def test_fifty_variables_inside_one_another_are_resolved_and_one_more_is_not() -> None:
    chain = {f"v{index}": f"$(v{index + 1})" for index in range(50)} | {"v50": "end"}
    resolved = resolve_all(chain)
    assert resolved.values["v1"] == "end"
    assert resolved.values["v0"] == "$(v1)"
    assert resolved.warnings == ("Unable to expand variable 'v0'. The max expansion depth (50) was exceeded.",)


def test_variables_that_double_one_another_stay_bounded() -> None:
    started = time.perf_counter()
    doubling = {f"v{index}": f"$(v{index + 1})" * 2 for index in range(49)} | {"v49": "0123456789"}
    resolved = resolve_all(doubling)
    assert sum(len(str(value)) for value in resolved.values.values()) <= macros.LARGEST_TOTAL
    assert resolved.warnings[0].startswith("Unable to expand variable 'v0'. The expanded value is longer than ")
    assert time.perf_counter() - started < 5


def test_very_many_variables_in_a_chain_are_no_recursion() -> None:
    chain = {f"v{index}": f"$(v{index + 1})" for index in range(20_000)}
    assert len(resolve_all(chain).warnings) == 20_000 - 50
