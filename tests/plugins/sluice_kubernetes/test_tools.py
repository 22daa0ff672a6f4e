from __future__ import annotations

import pytest

from sluice.plugin import TaskFailedError
from sluice_kubernetes._tools import fits, wanted_version


@pytest.mark.parametrize(
    ("version", "wanted", "expected"),
    [
        ("v1.35.4", "1.35.4", True),
        ("v1.35.4", "v1.35", True),
        ("v1.35.4", "1", True),
        ("v1.35.4", "1.x", True),
        ("v1.35.4", "1.35.x", True),
        ("v1.35.4", "1.3", False),
        ("v1.35.4", "1.35.40", False),
        ("v3.20.2+gabc", "3.20.2", True),
        ("", "1.35.4", False),
        ("nonsense", "1", False),
    ],
)
def test_a_version_fits_what_is_said_of_it(version: str, wanted: str, expected: bool) -> None:
    assert fits(version, wanted) is expected


@pytest.mark.parametrize(("text", "version"), [("latest", ""), ("", ""), ("Stable", ""), (" v1.30.2 ", "v1.30.2")])
def test_the_latest_is_the_one_that_is_there(text: str, version: str) -> None:
    assert wanted_version(text) == version


def test_what_is_no_version_is_told() -> None:
    with pytest.raises(TaskFailedError, match="'the newest' is no version"):
        wanted_version("the newest")
