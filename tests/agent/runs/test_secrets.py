"""Secret variables of runs: sealed with the run, or with the pipeline; opened when a job starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sluice.errors import UsageError
from sluice.secret import Secret
from sluice.storage import runs

if TYPE_CHECKING:
    from tests.agent.runs.conftest import Bench

SECRET = "guarded-0123456789"
ECHO = """
variables: {made: "$[ format('{0}!', variables.token) ]"}
steps:
- bash: |
    echo ${#T}
    echo "$(made) $(token)"
  env: {T: $(token)}
"""


def test_nothing_of_a_run_holds_the_secrets_that_it_was_given(bench: Bench) -> None:
    run = bench.create(ECHO, secrets={"token": SECRET})
    with bench.database.read() as transaction:
        stored = runs.get(transaction, run.id)
        assert SECRET not in repr(stored) + runs.plan(transaction, run.id)
    assert all(SECRET.encode() not in file.read_bytes() for file in bench.home.root.rglob("*") if file.is_file())
    outcome = bench.drive(run.id)
    assert outcome.output(outcome.jobs("Job")[0].id) == ["18", "*** ***"]
    assert SECRET not in bench.log(run.id)
    assert SECRET not in repr(bench.records(run.id))


def test_queue_time_wins_over_the_settings_of_the_pipeline(bench: Bench) -> None:
    _, pipeline = bench.pipeline("demo")
    settings = bench.orchestrator.settings
    settings.set(pipeline, {"a": "set", "b": "set"}, {"token": Secret("of-the-pipeline"), "c": Secret(SECRET)}, by="me")
    text = "steps: [{bash: 'echo $(a) $(b) $(c) $(token)'}]"
    outcome = bench.run_pipeline(text, variables={"b": "queued", "TOKEN": "queued-too"}, secrets={"A": "hidden-one"})
    assert outcome.output(outcome.jobs("Job")[0].id) == ["*** queued *** queued-too"]


def test_a_secret_that_was_unset_meanwhile_is_not_there(bench: Bench) -> None:
    _, pipeline = bench.pipeline("demo")
    bench.orchestrator.settings.set(pipeline, {}, {"token": Secret(SECRET)}, by="me")
    run = bench.create("steps: [{bash: 'echo \"[$(token)]\"'}]")
    bench.orchestrator.settings.unset(pipeline, ["token"], by="me")
    outcome = bench.drive(run.id)
    assert outcome.output(outcome.jobs("Job")[0].id) == ["[]"]


def test_a_retry_has_the_secrets_of_the_run(bench: Bench) -> None:
    from sluice.runs.retrying import retry

    flag = bench.folder / "flag"
    text = f"steps: [{{bash: 'test -e {flag}'}}, {{bash: 'echo got $(token)'}}]"
    run = bench.create(text, secrets={"token": SECRET})
    assert bench.drive(run.id).run.result == "Failed"
    flag.touch()
    retry(bench.orchestrator, run.id)
    assert bench.drive(run.id).run.result == "Succeeded"
    assert "got ***" in bench.log(run.id)


def test_a_name_is_not_given_twice(bench: Bench) -> None:
    with pytest.raises(UsageError, match="as a variable and as a secret"):
        bench.create(ECHO, secrets={"token": SECRET}, variables={"Token": "x"})
