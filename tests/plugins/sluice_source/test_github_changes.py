from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sluice_source._github_assets import stored_name
from sluice_source._github_changes import OTHERS, Issue, commit_line, grouped, named_issues, whole


def test_issues_are_named_in_each_way_of_github() -> None:
    text = "Fixes #1, GH-2, gh-3 and my-org/my.app#4; not a#5, x/y/z#6, #7b, path/#8 nor abc-#"
    assert named_issues(text, "octo/app") == [("octo/app", 1), ("octo/app", 2), ("octo/app", 3), ("my-org/my.app", 4)]


@given(st.text(alphabet="-a/#.1 \nGH", max_size=2000))
def test_any_message_makes_one_line(message: str) -> None:
    assert "\n" not in commit_line("c1", message, "octo/app")


def test_a_long_message_takes_no_long_time() -> None:
    assert named_issues("-a" * 500_000 + "/" + "a." * 500_000, "octo/app") == []


def test_issues_without_a_group_need_no_title() -> None:
    known = [Issue(1, "One", "OPEN", (), pull_request=False)]
    assert grouped(known, [{"label": "bug", "displayName": "Bugs"}]) == ["* #1: One"]
    assert grouped(known, [{"label": "x", "displayName": OTHERS}]) == ["* #1: One"]


def test_nothing_to_tell_is_no_section() -> None:
    assert whole([], "https://example.com") == ""


def test_names_of_files_as_github_keeps_them() -> None:
    assert [stored_name(name) for name in ("a b.zip", "ü(1).txt", "a_b-c+d@e.x")] == [
        "a.b.zip",
        "1..txt",
        "a_b-c+d@e.x",
    ]
