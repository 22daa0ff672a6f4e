"""Which repositories a job checks out, and by what."""

from __future__ import annotations

from pathlib import Path

from sluice.language.compiler import compile_pipeline
from sluice.language.plan import Plan
from sluice.runs.checkouts import listed, local, opening, pinned, with_named, without_given
from sluice.runs.pinning import unpinned
from sluice.runtime.request import JobRepository, StepRequest

PIPELINE = """
resources:
  repositories:
  - {repository: Tools, type: github, name: o/tools, ref: main, endpoint: gh, checkoutOptions: {fetchDepth: 1}}
  - {repository: unused, type: github, name: o/unused, endpoint: gh}
steps:
- checkout: tools
- checkout: git://project/other@release
"""


def plan() -> Plan:
    return compile_pipeline("a.yml", PIPELINE)


def checkout(alias: str) -> StepRequest:
    return StepRequest(
        id="1", name="c", display_name="c", task="Checkout@1", inputs={"repository": alias}, where="a.yml:7:3"
    )


def test_listed_repositories_have_their_commit_and_options() -> None:
    tools, _ = listed(plan(), pinned({"tools": "c0ffee"}))
    assert (tools.alias, tools.type, tools.name, tools.ref) == ("Tools", "github", "o/tools", "main")
    assert (tools.commit, tools.endpoint, tools.options["fetchDepth"]) == ("c0ffee", "gh", "1")


def test_repositories_named_in_place_are_known_by_what_is_written() -> None:
    steps = plan().stages[0].jobs[0].steps
    other = with_named((), steps, {})[0]
    assert (other.alias, other.type, other.name, other.ref) == (
        "git://project/other@release",
        "git",
        "project/other",
        "release",
    )
    for spelled in ("git://project/other", "project/other", "other"):
        found = with_named((), steps, local({spelled: Path("/x")}))
        assert found[0].path == Path("/x")


def test_a_checkout_opens_the_connection_of_its_repository() -> None:
    step = opening(checkout("TOOLS"), listed(plan(), {}))
    assert step.inputs["endpoint"] == "gh"
    (asked,) = step.connection_inputs
    assert (asked.name, asked.type, asked.where) == ("endpoint", "github", "a.yml:7:3")


def test_what_is_given_as_a_checkout_opens_nothing() -> None:
    given = {"Tools": Path("/somewhere")}
    assert opening(checkout("tools"), listed(plan(), local(given))).connection_inputs == ()
    assert opening(checkout("self"), ()).connection_inputs == ()
    assert opening(checkout("x"), (JobRepository(alias="x"),)).connection_inputs == ()
    without = without_given(plan(), given).repositories
    assert [repository.endpoint is None for repository in without] == [True, False]


def test_commits_are_looked_for_of_what_is_checked_out_and_has_none() -> None:
    jobs = {"Job"}
    assert [each.alias for each in unpinned(plan(), {}, jobs)] == ["Tools"]
    assert unpinned(plan(), {}, {"Later.Job"}) == []
    assert unpinned(plan(), pinned({"tools": "c0ffee"}), jobs) == []
    assert unpinned(plan(), local({"tools": Path("/x")}), jobs) == []
