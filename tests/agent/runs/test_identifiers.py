from __future__ import annotations

import pytest

from sluice.runs.identifiers import attempted, join, record_id


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [
        ("__default", "96ac2280-8cb4-5df5-99de-dd2da759617d"),
        ("Job", "3a3a2a60-14c7-570b-14a4-fa42ad92f52a"),
        ("Job.__default", "12f1170f-54f2-53f3-20dd-22fc7dff55f9"),
        ("Job.__default.CmdLine", "9c939e41-62c2-5605-5e05-fc3554afc9f5"),
        ("Job.__default.Checkout", "af08acd5-c28a-5b03-f5a9-06f9a40627bb"),
    ],
)
def test_record_ids_are_those_of_the_service(identifier: str, expected: str) -> None:
    assert record_id(identifier) == expected


def test_the_implicit_stage_is_left_out_of_identifiers() -> None:
    assert join("__default", "Job", "__default") == "Job.__default"
    assert join("__default") == "__default"
    assert join("Build", "Job") == "Build.Job"


def test_only_later_attempts_are_numbered() -> None:
    assert attempted("A.B", 1) == "A.B"
    assert attempted("A.B", 2) == "A.B.2"
