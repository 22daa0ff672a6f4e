"""Abuse case 12: a pipeline without a permit names the connection by its id, in another spelling, or with look-alikes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sluice.connections import sharing
from sluice.errors import PipelineError
from sluice.storage import actions, audit, permissions, projects

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.agent.runs.conftest import Bench

USING = "steps: [{checkout: none}, {task: Deliver@1, name: hand, inputs: {to: '%s', what: crates}}]\n"
LATE = """
steps:
- checkout: none
- bash: "echo '##vso[task.setvariable variable=where]%s'"
- task: Deliver@1
  name: hand
  inputs: {to: $(where), what: crates}
"""
SPELLINGS: list[Callable[[str, str], str]] = [
    lambda name, _: name.upper(),
    lambda name, _: f"  {name} ",
    lambda _, number: number,
    lambda _, number: number.upper(),
    lambda name, _: name.replace("e\N{COMBINING ACUTE ACCENT}", "\N{LATIN SMALL LETTER E WITH ACUTE}"),
]


@pytest.mark.parametrize("spell", SPELLINGS)
@pytest.mark.parametrize("pipeline", [USING, LATE])
def test_every_spelling_asks_for_the_same_permit(bench: Bench, pipeline: str, spell: Callable[[str, str], str]) -> None:
    record = bench.connection("depot-e\N{COMBINING ACUTE ACCENT}", scheme="Token")
    written = spell("depot-e\N{COMBINING ACUTE ACCENT}", record.id)
    waiting = bench.run_pipeline(pipeline % written)
    assert [one.resource_id for one in bench.requests(waiting.run.id, "running")] == [record.id]
    assert bench.store.history(record) == ()
    bench.decisions.deny(waiting.run.id)
    assert bench.drive(waiting.run.id).run.result == "Canceled"
    with bench.database.read() as transaction:
        denied = [one.entry for one in audit.newest(transaction, 9) if one.entry.action == actions.PERMISSION_DENIED.id]
    assert [entry.resource_id for entry in denied] == [record.id]


@pytest.mark.parametrize(
    "alike", ["dep\N{CYRILLIC SMALL LETTER O}t", "depot\N{ZERO WIDTH SPACE}", "de\N{SOFT HYPHEN}pot"]
)
def test_a_look_alike_of_a_permitted_name_is_not_that_connection(bench: Bench, alike: str) -> None:
    record = bench.connection("depot", scheme="Token", permit="demo")
    with pytest.raises(PipelineError, match="could not be found"):
        bench.create(USING % alike)
    failed = bench.run_pipeline(LATE % alike)
    assert failed.results()["Job.hand"] == "Failed"
    assert bench.store.history(record) == ()
    with bench.database.read() as transaction:
        refused = [one.entry for one in audit.newest(transaction, 9) if one.entry.action == actions.ACCESS_REFUSED.id]
    assert [alike in audit.describe(entry) for entry in refused] == [True]


@pytest.mark.parametrize("pipeline", [USING, LATE])
@pytest.mark.parametrize("by_id", [True, False])
def test_the_permit_of_one_project_is_none_in_another(bench: Bench, pipeline: str, by_id: bool) -> None:
    record = bench.connection("depot", scheme="Token")
    with bench.database.write() as transaction:
        projects.create(transaction, "shop", by="me", at=1.0)
        resource = permissions.Resource(record.project_id, record.id)
        permissions.grant(transaction, resource, permissions.ALL_PIPELINES, by="me", at=1.0)
    written = pipeline % (record.id if by_id else "depot")
    if pipeline is USING:
        with pytest.raises(PipelineError, match="could not be found"):
            bench.create(written, project="shop")
    else:
        run = bench.create(written, project="shop")
        assert bench.drive(run.id).run.result == "Failed"
    sharing.share(bench.store, "default", "depot", "shop", by="me", at=1.0, local_name="depot")
    shared = bench.create(written, project="shop")
    assert bench.drive(shared.id).run.result == ""
    assert [one.project_id for one in bench.requests(shared.id, "running")] == [shared.project_id]
    assert bench.store.history(record) == ()
