"""`sluice demo`: the whole story, with nothing left behind."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.agent.cli.conftest import Sluice

STORY = (
    "A throw-away SSH host listens on 127.0.0.1:",
    "$ sluice connection create demo-host",
    "$ sluice run",
    "This pipeline needs permission to access a resource before this run can continue to Deploy to the host",
    "$ sluice permit 1",
    "$ sluice resume 1",
    "1 line was announced",
    "The Permit lasts for this pipeline",
    "$ sluice connection history demo-host",
)


def test_the_demo_tells_its_story_and_leaves_nothing_behind(sluice: Sluice) -> None:
    sluice.real = True
    sluice.environment["TMPDIR"] = str(sluice.folder)
    before = set(sluice.folder.iterdir())
    printed = sluice("demo", "--yes")
    place = 0
    for part in STORY:
        place = printed.index(part, place)
    assert set(sluice.folder.iterdir()) == before
    assert not sluice.home.exists()


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
@pytest.mark.parametrize(
    "answers", [[("[w]ait: ", "d"), ("Deny? [y/N]: ", "y")], [("[w]ait: ", "\x03")]], ids=["a no", "Ctrl-C"]
)
def test_without_a_permit_the_demo_ends_and_says_so(sluice: Sluice, answers: list[tuple[str, str]]) -> None:
    sluice.environment["TMPDIR"] = str(sluice.folder)
    before = set(sluice.folder.iterdir())
    status, shown = sluice.on_a_terminal(["demo"], answers)
    assert status == 3, shown
    assert "nothing has run on the host" in shown
    assert "the demo stopped" not in shown
    assert set(sluice.folder.iterdir()) == before
