"""The frame of the command line: help, unknown commands, errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.agent.cli.conftest import Sluice


@pytest.mark.parametrize("arguments", [(), ("connection",), ("runs",)])
def test_a_command_without_its_arguments_shows_its_help(sluice: Sluice, arguments: tuple[str, ...]) -> None:
    said = sluice.run(*arguments)
    assert said.returncode == 2
    assert said.stderr.startswith("Usage: sluice")
    assert "\N{REPLACEMENT CHARACTER}" not in said.stderr
    assert said.stderr.count("\n") > 5


def test_an_unknown_command_offers_the_nearest(sluice: Sluice) -> None:
    assert "did you mean 'run'?" in sluice("rnu", status=2)


def test_the_version_is_told(sluice: Sluice) -> None:
    assert sluice("--version").startswith("sluice 0.")
