"""What plugins say of repositories."""

from __future__ import annotations

from sluice.hooks.repository import Login, basic
from sluice.secret import Secret


def test_basic_authentication_is_a_secret() -> None:
    header = basic("ada", Secret("pw"))
    assert header.reveal() == "Basic YWRhOnB3"
    assert "YWRh" not in repr(header)


def test_a_log_in_is_a_header_or_basic_authentication_or_nothing() -> None:
    assert Login().authorization is None
    assert Login(username="ada").authorization == basic("ada", None)
    assert Login(password=Secret("t")).authorization == basic("", Secret("t"))
    assert Login(username="ada", header=Secret("Bearer t")).authorization == Secret("Bearer t")
