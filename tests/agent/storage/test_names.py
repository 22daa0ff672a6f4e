"""How names are compared."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sluice.storage.names import clean_name, hidden_characters, is_guid, name_key


def test_case_composition_and_blanks_around_do_not_count() -> None:
    assert name_key("  Prod-Straße\n") == name_key("PROD-STRASSE")
    assert name_key("Cafe\u0301") == name_key("Caf\u00e9")


def test_look_alikes_and_inner_blanks_do_count() -> None:
    assert name_key("prod") != name_key("pr\u043ed")  # a Cyrillic o
    assert name_key("my prod") != name_key("my  prod")


@given(st.text())
def test_the_key_of_a_key_is_itself(text: str) -> None:
    assert name_key(name_key(text)) == name_key(text)
    assert name_key(clean_name(text)) == name_key(text)


def test_ids_are_told_from_names() -> None:
    assert is_guid(" 8D6837BB-f3bd-4956-befa-d2f585f723ee ")
    assert not is_guid("8d6837bb-f3bd-4956-befa-d2f585f723e")
    assert not is_guid("prod")


def test_characters_that_do_not_show_are_found() -> None:
    assert hidden_characters("prod\u200b")
    assert hidden_characters("a\u202eb")
    assert hidden_characters("a\nb")
    assert not hidden_characters("Prod West-1 ünïcode")
