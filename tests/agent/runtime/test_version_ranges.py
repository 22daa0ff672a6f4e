"""Versions and ranges of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.runtime.version_ranges import Version, best, parse_range, parse_version

VERSIONS = [Version((3, 8, 1)), Version((3, 9, 0)), Version((3, 10, 4)), Version((3, 11, 7)), Version((4, 0, 0))]
PRE = Version((3, 13, 0), "rc1")


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("3", "3.11.7"),
        ("3.x", "3.11.7"),
        ("3.9", "3.9.0"),
        ("3.9.x", "3.9.0"),
        ("v3.8.1", "3.8.1"),
        ("=3.8.1", "3.8.1"),
        ("*", "4.0.0"),
        ("", "4.0.0"),
        (">=3.9 <3.11", "3.10.4"),
        (">= 3.9 < 3.11", "3.10.4"),
        (">3.9", "3.11.7"),
        ("<=3.9", "3.9.0"),
        ("<3.9", "3.8.1"),
        ("^3.8", "3.11.7"),
        ("~3.8", "3.8.1"),
        ("~3", "3.11.7"),
        ("3.8 - 3.10", "3.10.4"),
        ("3.8 || 3.9", "3.9.0"),
        ("5", None),
        (">3.9 <4", "3.11.7"),
        (">=3.13.0-a0", "4.0.0"),
        ("3.13.0-rc1", "3.13.0-rc1"),
        ("3.13", None),
    ],
)
def test_the_newest_in_a_range_is_chosen(spec: str, expected: str | None) -> None:
    known = [*VERSIONS[:4], PRE] if spec.startswith(">3.9") else [*VERSIONS, PRE]
    if spec == ">3.9":
        known = VERSIONS[:4]
    found = best(known, spec)
    assert (str(found) if found else None) == expected


@pytest.mark.parametrize("spec", ["three", "3.x.y.z", ">", "3 ; rm", "1" * 300, "lts/*"])
def test_what_is_no_range_is_told(spec: str) -> None:
    with pytest.raises(ValueError, match="version"):
        parse_range(spec)


def test_pre_releases_come_before_their_release_and_in_order() -> None:
    texts = ["3.13.0a1", "3.13.0b2", "3.13.0rc1", "3.13.0-rc2", "3.13.0", "v3.13.1"]
    versions = [version for text in texts if (version := parse_version(text))]
    assert len(versions) == len(texts)
    assert versions == sorted(versions)


def test_zero_is_no_release_that_a_caret_goes_past() -> None:
    known = [Version((0, 1, 5)), Version((0, 2, 0))]
    assert best(known, "^0.1.2") == known[0]
    assert best([Version((0, 0, 3)), Version((0, 0, 4))], "^0.0.3") == Version((0, 0, 3))


@given(st.text(alphabet="0123456789.x*<>=^~| -vabrc", max_size=40))
def test_any_text_is_a_range_or_told_to_be_none(text: str) -> None:
    try:
        fits = parse_range(text)
    except ValueError:
        return
    assert [fits(version) for version in VERSIONS] == [fits(version) for version in VERSIONS]


@given(st.tuples(*[st.integers(0, 50)] * 3))
def test_a_version_is_in_the_ranges_that_its_own_numbers_make(numbers: tuple[int, int, int]) -> None:
    version = Version(numbers)
    major, minor, patch = numbers
    assert parse_version(str(version)) == version
    for spec in (
        f"{major}",
        f"{major}.{minor}",
        f"{major}.{minor}.{patch}",
        f"^{version}",
        f"~{version}",
        f">={version}",
    ):
        assert parse_range(spec)(version), spec
    for spec in (f">{version}", f"<{version}", f"{major + 1}", f"{major}.{minor + 1}"):
        assert not parse_range(spec)(version), spec
