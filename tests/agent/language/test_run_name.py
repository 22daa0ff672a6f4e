from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from sluice.errors import UsageError
from sluice.language.run_name import format_date, format_run_name

NOW = datetime(2009, 8, 5, 21, 7, 3, 123456, tzinfo=UTC)


def named(pattern: str, revision: int = 1, **variables: str) -> str:
    return format_run_name(
        pattern, {name.replace("_", "."): each for name, each in variables.items()}, NOW, lambda _: revision
    )


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("", "20090805.1"),
        ("$(Date:yyyy.MM.dd)-$(Rev:rrr)", "2009.08.05-001"),
        ("a$(Rev:.r)", "a.1"),
        ("$(Year:yy)$(Month)$(DayOfMonth) $(DayOfYear) $(Hours)$(Minutes)$(Seconds)", "0985 217 2173"),
        ("$(BuildDefinitionName)_$(BuildID)_$(SourceBranchName)", "pipe_7_main"),
        ("$(Build.SourceBranch)", "refs_heads_main"),
        ("$(unknown) $(rev)", "$(unknown) $(rev)"),
    ],
)
def test_tokens_and_variables_are_replaced(pattern: str, name: str) -> None:
    assert (
        named(
            pattern,
            Build_DefinitionName="pipe",
            Build_BuildId="7",
            Build_SourceBranchName="main",
            Build_SourceBranch="refs/heads/main",
        )
        == name
    )


def test_the_revision_is_asked_for_once_and_by_the_rest_of_the_number() -> None:
    asked: list[str] = []

    def next_revision(rest: str) -> int:
        asked.append(rest)
        return 12

    assert format_run_name("$(v)$(Rev:.r)_$(Rev:rrr)", {"V": "x"}, NOW, next_revision) == "x.12_012"
    assert asked == ["x.$(Rev:r)_$(Rev:r)"]
    assert format_run_name("fixed", {}, NOW, next_revision) == "fixed"
    assert len(asked) == 1


@pytest.mark.parametrize("pattern", ["a:b", 'a"b', "a?", "a.", "x" * 256, "$(Date:HH:mm)"])
def test_a_number_that_is_not_allowed_is_refused(pattern: str) -> None:
    with pytest.raises(UsageError, match="run number"):
        named(pattern)


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("d/M/yy h:m tt", "5/8/09 9:7 PM"),
        ("dddd, dd MMMM yyyy", "Wednesday, 05 August 2009"),
        ("ddd MMM", "Wed Aug"),
        ("ss.fff", "03.123"),
        ("'at' HH\\h", "at 21h"),
        ("yyyyK", "2009+00:00"),
        ("z", "+0"),
    ],
)
def test_dates_follow_custom_formats(spec: str, text: str) -> None:
    assert format_date(NOW, spec) == text


def test_an_offset_behind_utc_is_negative() -> None:
    assert format_date(NOW.astimezone(timezone(timedelta(hours=-3, minutes=-30))), "zzz") == "-03:30"
