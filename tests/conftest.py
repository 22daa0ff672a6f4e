"""What all tests share: the evidence that they give about connection types (see `docs/contributing.md`)."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from tests import evidence as ledger

if TYPE_CHECKING:
    from tests.evidence import Cell

settings.register_profile("sluice", deadline=None)  # how long an example takes is the machine's load, no property
settings.load_profile("sluice")

_FOUND = pytest.StashKey[list[ledger.Evidence]]()


class Giver:
    """Notes what a test shows of a connection type; it counts when the test passes."""

    def __init__(self, found: list[ledger.Evidence], test: str) -> None:
        self._found = found
        self._test = test

    def __call__(self, type: str, scheme: str, what: Cell, server: str = "", *, task: str = "") -> None:  # noqa: A002  # the field's word
        """`server` is what the test ran against: 'OpenSSH', or 'GitHub (double)'; `task` as in 'SSH@0' where one ran."""
        self._found.append(
            ledger.Evidence(type=type, scheme=scheme, what=what, server=server, task=task, test=self._test)
        )


@pytest.fixture
def evidence(request: pytest.FixtureRequest) -> Giver:
    """`evidence("ssh", "UsernamePassword", "used", "OpenSSH", task="SSH@0")`, anywhere in a test."""
    return Giver(request.node.stash.setdefault(_FOUND, []), request.node.nodeid)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call" and report.passed:
        shown: list[ledger.Evidence] = item.stash.get(_FOUND, [])
        ledger.note(shown)
    return report
