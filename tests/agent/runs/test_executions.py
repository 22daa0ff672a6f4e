"""Steps with executions before and after the job: their order, their records, and what they keep over a pause."""

from __future__ import annotations

import json

from sluice.errors import Location
from sluice.language.plan import Step, Text
from sluice.runs.executions import execution_of, names_of, ordered, record_name, step_name
from sluice.runs.progress import decode_progress, encode_progress
from sluice.runtime.request import Execution, JobProgress
from sluice.secret import Secret


def _step(name: str, *executions: str) -> Step:
    return Step(
        task=Text("Any@1", Location("p.yml", 1, 1)), name=name, display_name=name.upper(), executions=executions
    )


STEPS = (_step("a", "main", "post"), _step("b"), _step("c", "pre", "main", "post"), _step("d", "pre"))


def test_what_comes_before_keeps_the_order_and_what_comes_after_turns_it() -> None:
    assert [(step.name, one.value) for step, one in ordered(STEPS)] == [
        ("c", "pre"),
        ("d", "pre"),
        ("a", "main"),
        ("b", "main"),
        ("c", "main"),
        ("c", "post"),
        ("a", "post"),
    ]


def test_each_execution_has_a_record_of_its_own_that_tells_its_step() -> None:
    names = names_of(STEPS)
    assert names[0] == ("c:pre-job", "Pre-job: C")
    assert names[2] == ("a", "A")
    assert names[-1] == ("a:post-job", "Post-job: A")
    assert len({name for name, _ in names}) == len(names)
    for execution in Execution:
        name = record_name("step", execution)
        assert (execution_of(name), step_name(name)) == (execution, "step")


def test_what_executions_keep_for_each_other_outlives_a_pause() -> None:
    kept: dict[str, dict[str, str | Secret]] = {"a": {"public": "1", "hidden": Secret("two")}}
    progress = JobProgress(next_step=3, task_variables=kept)
    assert decode_progress(encode_progress(progress)) == progress


def test_the_progress_of_an_older_version_is_read() -> None:
    stored = json.loads(encode_progress(JobProgress(next_step=1)))
    del stored["task"]
    assert decode_progress(json.dumps(stored).encode()) == JobProgress(next_step=1)
