"""What a step receives with a connection: warnings of what expires, reasons where it is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from sluice.connections.connection import Update

if TYPE_CHECKING:
    from tests.agent.runs.conftest import Bench

HAND = "steps: [{checkout: none}, {task: Deliver@1, name: hand, inputs: {to: %s, what: crates}}]\n"


@pytest.mark.parametrize(("days", "told"), [(12, "expires in 11 days"), (-3, "expired 3 days ago"), (300, "")])
def test_a_run_is_warned_of_a_connection_that_expires(bench: Bench, days: int, told: str) -> None:
    bench.connection("depot", permit="demo")
    date = (datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%d")
    bench.store.update("default", "depot", Update(expires=date), by="tester")
    done = bench.run_pipeline(HAND % "depot")
    assert done.run.result == "Succeeded"
    step = next(one for one in done.records if one.ref_name == "hand")
    assert step.warning_count == (1 if told else 0)
    assert told in bench.log(done.run.id)


def test_a_macro_that_nothing_replaces_is_a_reason_of_its_own(bench: Bench) -> None:
    done = bench.run_pipeline(HAND % "$(nowhere)")
    assert done.run.result == "Failed"
    assert "The name '$(nowhere)' of the service connection still holds a macro" in bench.log(done.run.id)
