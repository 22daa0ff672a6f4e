"""Abuse case 14: the permit is passed, then the connection is edited, disabled, deleted or un-permitted before the step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sluice.connections.connection import Update
from sluice.secret import Secret
from sluice.storage import permissions

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.agent.runs.conftest import Bench

PIPELINE = """
steps:
- checkout: none
- bash: until [ -e "$(go)" ]; do sleep 0.02; done
  name: first
- task: Deliver@1
  name: hand
  inputs: {to: depot, what: crates}
"""


def _moved(bench: Bench) -> None:
    change = Update(url="https://elsewhere.invalid", secrets={"apitoken": Secret("another-token-4711")})
    bench.store.update("default", "depot", change, by="editor")


def _revoked(bench: Bench) -> None:
    record = bench.store.get("default", "depot")
    with bench.database.write() as transaction:
        resource = permissions.Resource(record.project_id, record.id)
        permissions.revoke_everywhere(transaction, resource.id, by="owner", at=bench.clock())


def _limited(bench: Bench) -> None:
    record = bench.store.get("default", "depot")
    _, pipeline = bench.pipeline("demo")
    with bench.database.write() as transaction:
        permissions.grant(
            transaction,
            permissions.Resource(record.project_id, record.id),
            pipeline.id,
            by="owner",
            at=bench.clock(),
            limits='{"stages":["Other"]}',
            replace=True,
        )


def _disabled(bench: Bench) -> None:
    bench.store.update("default", "depot", Update(disabled=True), by="owner")


def _replaced(bench: Bench) -> None:
    """Another connection takes the name that was planned and permitted."""
    bench.store.delete("default", "depot", by="owner")
    bench.connection("depot", scheme="Token")


@pytest.mark.parametrize(
    ("change", "becomes"),
    [
        (_moved, "waiting"),
        (_revoked, "waiting"),
        (_replaced, "waiting"),
        (_limited, "Failed"),
        (_disabled, "waiting"),
    ],
)
def test_what_changes_between_checkpoint_and_step_counts(
    bench: Bench, change: Callable[[Bench], None], becomes: str
) -> None:
    record = bench.connection("depot", scheme="Token", permit="demo")
    go = bench.folder / "go"

    def act() -> None:
        change(bench)
        go.touch()

    run = bench.create(PIPELINE, variables={"go": str(go)})
    done = bench.drive(run.id, on_start={"Job.first": act})
    assert done.results()["Job.first"] == "Succeeded"
    assert done.results()["Job"] == becomes
    assert bench.store.history(record) == ()
    # whoever takes the run on later, after a restart, comes to the same end
    assert bench.drive(run.id).results()["Job"] == becomes
