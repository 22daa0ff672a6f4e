from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Require = Callable[[str, str], Path]


def test_a_missing_program_skips_with_the_way_to_get_it(
    require_program: Require, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SLUICE_REQUIRE_REAL", raising=False)
    with pytest.raises(pytest.skip.Exception, match="get it with: apt-get install nothing"):
        require_program("no-such-program", "apt-get install nothing")


def test_a_missing_program_fails_where_real_servers_are_required(
    require_program: Require, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_REQUIRE_REAL", "1")
    with pytest.raises(pytest.fail.Exception, match="no-such-program is not installed"):
        require_program("no-such-program", "apt-get install nothing")


def test_a_program_is_found(require_program: Require) -> None:
    assert require_program("sh", "").is_file()
