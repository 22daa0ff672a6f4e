"""Variable groups in runs: the permit, the values, the pauses, and nothing of a secret anywhere else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import pytest
import sqlalchemy
from hypothesis import given
from hypothesis import strategies as st

from sluice.authorization import texts
from sluice.errors import Location, NotFoundError, PipelineError
from sluice.language.expressions import Context, Object
from sluice.language.plan import Text, Variable
from sluice.library.group import GroupUpdate
from sluice.library.store import VariableGroupStore
from sluice.runs.decisions import ResourceName
from sluice.runs.driver import Waiting
from sluice.runs.variables import extend, scope_of
from sluice.runtime.request import JobVariable
from sluice.secret import Secret
from sluice.storage import audit
from sluice.storage.requests import RequestRow

if TYPE_CHECKING:
    from tests.agent.runs.conftest import Bench, Outcome

SECRET = "hunter2-very-secret-0815"
ECHO = """
variables:
- group: settings
steps:
- bash: echo "region $(Region) $REGION"
"""


def lines(outcome: Outcome, job: str = "Job") -> list[str]:
    return outcome.output(outcome.jobs(job)[0].id)


def actions(bench: Bench) -> list[str]:
    with bench.database.read() as transaction:
        return [link.entry.action for link in audit.newest(transaction, 50)]


def waiting_names(bench: Bench, run_id: int) -> list[tuple[str, str]]:
    return [(one.resource_type, one.resource_name) for one in bench.requests(run_id, "running")]


def test_a_permitted_group_gives_its_variables_to_macros_and_the_environment(bench: Bench) -> None:
    bench.group("settings", {"Region": "north"}, permit="demo")
    outcome = bench.run_pipeline(ECHO)
    assert lines(outcome) == ["region north north"]
    assert outcome.run.result == "Succeeded"


def test_a_run_waits_until_its_group_is_permitted_in_the_documented_words(bench: Bench) -> None:
    bench.group("settings", {"Region": "north"})
    waiting = bench.run_pipeline(ECHO)
    assert waiting.dispatcher.requests == []
    assert waiting_names(bench, waiting.run.id) == [("variablegroup", "settings")]
    (stage,) = [record for record in waiting.records if record.type == "Stage"]
    assert (stage.state, stage.operation) == ("waiting", texts.banner(1))
    (request,) = bench.requests(waiting.run.id)
    assert request.where == "azure-pipelines.yml:3:10"
    assert "the use of Variable group 'settings' for" in texts.permit_question(request.resource_type, "settings")
    bench.decisions.permit(waiting.run.id)
    assert lines(bench.drive(waiting.run.id)) == ["region north north"]
    assert lines(bench.run_pipeline(ECHO)) == ["region north north"]
    assert bench.run_pipeline(ECHO, name="another").observer.waits == [("settings",)]


def test_a_run_of_a_group_that_does_not_exist_does_not_start(bench: Bench) -> None:
    bench.group("setings")
    with pytest.raises(PipelineError) as caught:
        bench.create(ECHO)
    assert str(caught.value) == (
        "azure-pipelines.yml:3:10: Could not find a variable group with name settings. "
        "The variable group does not exist or has not been authorized for use. (did you mean 'setings'?)"
    )


def test_a_group_of_another_project_is_not_found(bench: Bench) -> None:
    bench.group("settings", project="elsewhere")
    with pytest.raises(PipelineError, match="Could not find a variable group"):
        bench.create(ECHO)


def test_denying_a_group_cancels_the_stage(bench: Bench) -> None:
    bench.group("settings")
    waiting = bench.run_pipeline(ECHO)
    bench.decisions.deny(waiting.run.id)
    assert bench.drive(waiting.run.id).run.result == "Canceled"


def test_a_stage_asks_for_its_own_groups_and_those_of_the_root_only(bench: Bench) -> None:
    for name in ("root", "one", "two", "job"):
        bench.group(name, {"v": name})
    pipeline = """
variables: [{group: root}]
stages:
- stage: One
  variables: [{group: one}]
  jobs: [{job: A, variables: [{group: job}], steps: [{bash: 'echo $(v)'}]}]
- stage: Two
  dependsOn: []
  variables: [{group: two}]
  jobs: [{job: B, steps: [{bash: 'echo $(v)'}]}]
"""
    waiting = bench.run_pipeline(pipeline)
    asked = {(one.stage, one.resource_name) for one in bench.requests(waiting.run.id, "running")}
    assert asked == {("One", "root"), ("One", "one"), ("One", "job"), ("Two", "root"), ("Two", "two")}
    bench.decisions.permit(waiting.run.id, ["root", "TWO"])
    half = bench.drive(waiting.run.id)
    assert lines(half, "B") == ["two"]
    assert half.run.state == "inProgress"
    bench.decisions.permit(waiting.run.id)
    assert lines(bench.drive(waiting.run.id), "A") == ["job"]


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("[{name: v, value: yaml}, {group: g}]", "group"),
        ("[{group: g}, {name: v, value: yaml}]", "yaml"),
        ("[{group: g}, {group: h}]", "other"),
        ("[{group: h}, {group: g}]", "group"),
        ("[{group: g}, {name: v, value: '$(v2) again'}]", "two again"),
        ("[{group: g}, {name: v, value: \"$[ format('{0}!', variables.V2) ]\"}]", "two!"),
    ],
)
@pytest.mark.parametrize("level", ["root", "stage", "job"])
def test_a_group_counts_where_it_stands_in_its_block(bench: Bench, block: str, expected: str, level: str) -> None:
    bench.group("g", {"V": "group", "v2": "two"}, permit="demo")
    bench.group("h", {"v": "other"}, permit="demo")
    at = {"root": "", "stage": "", "job": "", level: f"variables: {block}"}
    pipeline = f"""
{at["root"]}
stages:
- stage: S
  {at["stage"]}
  jobs:
  - job: J
    {at["job"]}
    steps:
    - bash: echo "$(v)"
"""
    assert lines(bench.run_pipeline(pipeline, variables={"v": "queue"}), "J") == [expected]


def test_yaml_of_a_deeper_level_wins_over_a_group_of_a_higher_one_and_the_other_way_round(bench: Bench) -> None:
    bench.group("g", {"a": "group", "b": "group"}, permit="demo")
    pipeline = """
variables: [{group: g}, {name: c, value: root}]
jobs:
- job: J
  variables: {a: job}
  steps: [{bash: 'echo $(a) $(b) $(c)'}]
- job: K
  variables: [{name: b, value: job}, {group: g}]
  steps: [{bash: 'echo $(a) $(b) $(c)'}]
"""
    outcome = bench.run_pipeline(pipeline)
    assert (lines(outcome, "J"), lines(outcome, "K")) == (["job group root"], ["group group root"])


def test_a_group_does_not_change_what_is_read_only(bench: Bench) -> None:
    bench.group("g", {"fixed": "group", "Build.SourceBranch": "refs/heads/evil"}, permit="demo")
    pipeline = """
variables: [{name: fixed, value: yaml, readonly: true}, {group: g}]
steps: [{bash: 'echo "$(fixed) $(Build.SourceBranch)"'}]
"""
    outcome = bench.run_pipeline(pipeline, source={"branch": "refs/heads/main"})
    assert lines(outcome) == ["yaml refs/heads/main"]


def test_template_expressions_do_not_see_a_group_and_its_name_may_hold_root_variables(bench: Bench) -> None:
    bench.group("prod-settings", {"Region": "north"}, permit="demo")
    pipeline = """
variables:
- name: env
  value: prod
- group: $(env)-settings
steps:
- bash: echo "[${{ variables.Region }}] $(Region)"
"""
    assert lines(bench.run_pipeline(pipeline)) == ["[] north"]


def test_secrets_are_masked_and_reach_a_process_only_where_they_are_mapped(bench: Bench) -> None:
    group = bench.group("settings", secrets={"token": SECRET}, permit="demo")
    pipeline = """
variables: [{group: settings}]
steps:
- bash: echo "inline $(token), unmapped [$TOKEN], mapped $MAPPED ${#MAPPED}"
  env: {MAPPED: $(token)}
- bash: env | grep -c hunter2 || true
"""
    outcome = bench.run_pipeline(pipeline)
    assert lines(outcome) == [f"inline ***, unmapped [], mapped *** {len(SECRET)}", "0"]
    (use,) = bench.orchestrator.groups.history(group)
    assert (use.run_id, use.job, use.result) == (outcome.run.id, "Job", "Succeeded")
    assert "Sluice.VariableGroupOpened" in actions(bench)
    content = b"".join(file.read_bytes() for file in bench.folder.rglob("*") if file.is_file())
    assert b"unmapped" in content
    assert SECRET.encode() not in content
    assert SECRET not in repr(outcome.records)


def test_secrets_are_opened_at_the_start_of_each_job_that_names_them_and_never_before(bench: Bench) -> None:
    group = bench.group("settings", secrets={"token": SECRET}, permit="demo")
    pipeline = """
jobs:
- job: A
  steps: [{bash: echo none}]
- job: B
  dependsOn: A
  variables: [{group: settings}]
  steps: [{bash: 'echo $(token)'}]
- job: C
  condition: false
  variables: [{group: settings}]
  steps: [{bash: 'echo $(token)'}]
"""
    outcome = bench.run_pipeline(pipeline)
    assert [use.job for use in bench.orchestrator.groups.history(group)] == ["B"]
    (request,) = [one for one in outcome.dispatcher.requests if one.identifier.endswith("A.__default")]
    assert not any(isinstance(variable.value, Secret) for variable in request.variables)


def test_a_reference_is_read_at_the_start_of_the_job(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.group("settings", references={"token": "env:APP_TEST_TOKEN"}, permit="demo")
    pipeline = "{variables: [{group: settings}], steps: [{bash: 'echo $(token)'}]}"
    failed = bench.run_pipeline(pipeline)
    assert failed.run.result == "Failed"
    assert "APP_TEST_TOKEN" in failed.jobs("Job")[0].message
    assert "Sluice.VariableGroupOpened" not in actions(bench)
    monkeypatch.setenv("APP_TEST_TOKEN", SECRET)
    assert lines(bench.run_pipeline(pipeline)) == ["***"]


def test_a_reference_is_not_even_read_for_a_pipeline_that_is_not_permitted(
    bench: Bench,
) -> None:
    read: list[str] = []

    def source(reference: str) -> Secret:
        read.append(reference)
        return Secret(SECRET)

    bench.orchestrator.groups = VariableGroupStore(bench.database, bench.store.sealer, sources={"safe": source})
    group = bench.group("settings", references={"token": "safe:token"}, permit="demo")
    bench.revoke(group)
    run = bench.create("{variables: [{group: settings}], steps: [{bash: 'echo $(token)'}]}")
    bench.drive(run.id)
    assert read == []
    bench.decisions.permit(run.id)
    assert lines(bench.drive(run.id)) == ["***"]
    assert read == ["token"]


TWO_JOBS = """
jobs:
- job: A
  steps: [{bash: echo first}]
- job: B
  dependsOn: A
  variables: [{group: settings}]
  steps: [{bash: 'echo $(Region) $(token)'}]
"""


def test_a_permit_that_ends_before_the_job_starts_lets_it_wait_again(bench: Bench) -> None:
    group = bench.group("settings", {"Region": "north"}, secrets={"token": SECRET})
    run = bench.create(TWO_JOBS)
    assert bench.drive(run.id).dispatcher.requests == []
    bench.decisions.permit(run.id)
    again = bench.drive(run.id, on_start={"A.Bash1": lambda: bench.revoke(group)})
    assert [one.identifier for one in again.dispatcher.requests] == ["A.__default"]
    assert bench.orchestrator.groups.history(group) == ()
    (request,) = bench.requests(run.id, "running")
    assert (request.resource_type, request.resource_name, bool(request.job_id)) == ("variablegroup", "settings", True)
    assert (again.jobs("B")[0].state, again.jobs("B")[0].operation) == ("waiting", texts.banner(1))
    bench.decisions.permit(run.id)
    outcome = bench.drive(run.id)
    assert lines(outcome, "B") == ["north ***"]
    assert outcome.run.result == "Succeeded"


@pytest.mark.parametrize("how", ["cancel", "deny", "late"])
def test_a_job_that_waits_before_its_start_never_starts_when_it_is_not_permitted(bench: Bench, how: str) -> None:
    group = bench.group("settings", {"Region": "north"}, secrets={"token": SECRET}, permit="demo")
    run = bench.create(TWO_JOBS)
    bench.drive(run.id, on_start={"A.Bash1": lambda: bench.revoke(group)})
    if how == "cancel":
        bench.decisions.cancel(run.id)
    elif how == "deny":
        bench.decisions.deny(run.id)
    else:
        bench.clock.late = 8 * 24 * 3600.0
    outcome = bench.drive(run.id)
    assert outcome.dispatcher.requests == []
    assert outcome.jobs("B")[0].result == "Canceled"
    assert outcome.run.state == "completed"
    assert bench.requests(run.id, "running") == []
    assert bench.orchestrator.groups.history(group) == ()


def test_a_group_that_is_deleted_before_the_job_starts_fails_it_in_the_documented_words(bench: Bench) -> None:
    bench.group("settings", permit="demo")
    run = bench.create(TWO_JOBS)
    gone = {"A.Bash1": lambda: bench.orchestrator.groups.delete("default", "settings", by="tester")}
    outcome = bench.drive(run.id, on_start=gone)
    assert outcome.jobs("B")[0].result == "Failed"
    assert "Could not find a variable group with name settings." in outcome.jobs("B")[0].message


def test_values_are_those_of_the_moment_at_which_the_job_starts(bench: Bench) -> None:
    bench.group("settings", {"Region": "north"}, secrets={"token": SECRET}, permit="demo")
    run = bench.create(TWO_JOBS)
    update = GroupUpdate(variables={"region": "south"})
    moved = {"A.Bash1": lambda: bench.orchestrator.groups.update("default", "settings", update, by="tester")}
    assert lines(bench.drive(run.id, on_start=moved), "B") == ["south ***"]


def test_a_job_that_stopped_for_a_permit_goes_on_with_the_values_it_had(bench: Bench) -> None:
    group = bench.group("settings", {"Region": "north"}, secrets={"token": SECRET}, permit="demo")
    depot = bench.connection("web")
    pipeline = """
variables: [{group: settings}]
steps:
- bash: echo before $(token)
- task: Deliver@1
  inputs: {to: $(where), what: $(Region)}
- bash: echo after $(Region) $(token)
"""
    run = bench.create(pipeline, variables={"where": "web"})
    bench.drive(run.id, waits=lambda _: Waiting.LEAVE)
    bench.orchestrator.groups.update("default", "settings", GroupUpdate(variables={"region": "south"}), by="tester")
    bench.permit(depot)
    outcome = bench.drive(run.id)
    assert "after north ***" in lines(outcome)
    assert outcome.run.result == "Succeeded"
    assert len(bench.orchestrator.groups.history(group)) == 1


def test_expressions_of_jobs_read_public_values(bench: Bench) -> None:
    bench.group("settings", {"deploy": "yes", "legs": '{"one": {"n": "1"}, "two": {"n": "2"}}'}, permit="demo")
    pipeline = """
variables: [{group: settings}]
jobs:
- job: Yes
  condition: eq(variables.deploy, 'yes')
  steps: [{bash: echo ran}]
- job: No
  condition: eq(variables.deploy, 'no')
  steps: [{bash: echo ran}]
- job: M
  strategy: {matrix: "$[ variables.legs ]"}
  steps: [{bash: echo $(n)}]
"""
    outcome = bench.run_pipeline(pipeline)
    assert outcome.results()["Yes"] == "Succeeded"
    assert outcome.results()["No"] == "Skipped"
    assert sorted(one.ref_name for one in outcome.jobs("M")) == ["one", "two"]


def test_a_secret_cannot_be_a_matrix_and_reads_as_nothing_before_its_job_starts(bench: Bench) -> None:
    bench.group("settings", secrets={"token": SECRET}, permit="demo")
    pipeline = """
variables: [{group: settings}]
jobs:
- job: A
  condition: ne(variables.token, '')
  steps: [{bash: echo ran}]
- job: B
  strategy: {matrix: "$[ variables.token ]"}
  steps: [{bash: echo ran}]
"""
    outcome = bench.run_pipeline(pipeline)
    assert outcome.results()["A"] == "Skipped"
    assert outcome.results()["B"] == "Failed"


CONDITIONAL = """
variables: [{group: settings}, {name: copy, value: $(deploy)}]
stages:
- stage: S
  condition: %s
  jobs: [{job: J, steps: [{bash: echo ran}]}]
"""


@pytest.mark.parametrize(
    ("condition", "deploy", "expected"),
    [
        ("eq(variables.deploy, 'yes')", "yes", "Succeeded"),
        ("eq(variables['DEPLOY'], 'yes')", "no", "Skipped"),
        ("eq(variables.copy, 'yes')", "yes", "Succeeded"),
        ("and(succeeded(), eq(variables.copy, 'yes'))", "no", "Skipped"),
        ("contains(convertToJson(variables), '\"yes\"')", "no", "Skipped"),
    ],
)
def test_a_stage_whose_condition_reads_a_group_waits_for_the_group_first(
    bench: Bench, condition: str, deploy: str, expected: str
) -> None:
    bench.group("settings", {"deploy": deploy})
    waiting = bench.run_pipeline(CONDITIONAL % condition)
    assert waiting_names(bench, waiting.run.id) == [("variablegroup", "settings")]
    bench.decisions.permit(waiting.run.id)
    outcome = bench.drive(waiting.run.id)
    assert outcome.results()["S"] == expected
    assert outcome.run.state == "completed"
    assert [one.state for one in bench.requests(waiting.run.id)] == ["approved"]


@pytest.mark.parametrize(
    "condition", ["false", "eq(variables.other, 'x')", "and(failed(), eq(variables.deploy, 'yes'))"]
)
def test_a_stage_whose_condition_does_not_hold_without_the_group_asks_for_nothing(bench: Bench, condition: str) -> None:
    bench.group("settings", {"deploy": "yes"})
    outcome = bench.run_pipeline(CONDITIONAL % condition)
    assert outcome.results()["S"] == "Skipped"
    assert bench.requests(outcome.run.id) == []


def test_a_stage_that_waits_for_its_condition_asks_for_the_rest_afterwards(bench: Bench) -> None:
    bench.group("settings", {"deploy": "yes"})
    bench.connection("web")
    pipeline = """
variables: [{group: settings}]
stages:
- stage: S
  condition: eq(variables.deploy, 'yes')
  jobs: [{job: J, steps: [{task: Deliver@1, inputs: {to: web, what: x}}]}]
"""
    run = bench.create(pipeline)
    bench.drive(run.id)
    assert waiting_names(bench, run.id) == [("variablegroup", "settings")]
    bench.decisions.permit(run.id)
    assert bench.drive(run.id).observer.waits[-1] == ("web",)
    assert waiting_names(bench, run.id) == [("endpoint", "web")]
    bench.decisions.permit(run.id)
    assert bench.drive(run.id).run.result == "Succeeded"


def test_a_value_that_cannot_be_evaluated_fails_the_stage_and_not_the_run_of_others(bench: Bench) -> None:
    bench.group("settings", {"number": "not a number"}, permit="demo")
    pipeline = """
variables:
- group: settings
- {name: c, value: "$[ counter('x', variables.number) ]"}
jobs:
- job: J
  steps: [{bash: echo ran}]
"""
    outcome = bench.run_pipeline(pipeline)
    assert outcome.run.result == "Failed"
    assert outcome.dispatcher.requests == []


def test_names_tell_a_connection_from_a_group(bench: Bench) -> None:
    bench.group("web")
    bench.connection("web")
    pipeline = """
variables: [{group: web}]
steps: [{task: Deliver@1, inputs: {to: web, what: x}}]
"""
    run = bench.create(pipeline)
    bench.drive(run.id)
    assert sorted(waiting_names(bench, run.id)) == [("endpoint", "web"), ("variablegroup", "web")]
    with pytest.raises(NotFoundError, match="does not wait for variable group 'wbe'"):
        bench.decisions.permit(run.id, [ResourceName("variablegroup", "wbe")])
    (granted,) = bench.decisions.permit(run.id, [ResourceName("variablegroup", "WEB")])
    assert granted.resource_type == "variablegroup"
    assert waiting_names(bench, run.id) == [("endpoint", "web")]
    assert len(bench.decisions.permit(run.id, ["web"])) == 1
    assert bench.drive(run.id).run.result == "Succeeded"


def test_permitting_one_run_lets_the_others_of_the_pipeline_go_on(bench: Bench) -> None:
    bench.group("settings", {"Region": "north"})
    first, second = bench.create(ECHO), bench.create(ECHO)
    for run in (first, second):
        bench.drive(run.id)

    def permit(_: Sequence[RequestRow]) -> Waiting:
        bench.decisions.permit(first.id)
        return Waiting.STAY

    assert bench.drive(first.id, waits=permit).run.result == "Succeeded"
    assert bench.drive(second.id).run.result == "Succeeded"


def reference(below: dict[str, str], block: Iterable[tuple[str, object]]) -> dict[str, str]:
    """The documented rule, as simple as it can be said: what comes later wins."""
    values = dict(below)
    for name, value in block:
        if isinstance(value, dict):
            values.update(value)
        else:
            values[name] = str(value)
    return values


def test_precedence_is_that_of_the_simple_rule() -> None:
    names = st.sampled_from(["a", "b", "c"])
    texts_ = st.sampled_from(["1", "2", "3", ""])
    group = st.dictionaries(names, texts_, max_size=3)
    item = st.one_of(st.tuples(names, texts_), st.tuples(st.just("group"), group))
    blocks = st.lists(st.lists(item, max_size=5), max_size=4)

    @given(below=group, blocks=blocks)
    def check(below: dict[str, str], blocks: list[list[tuple[str, object]]]) -> None:
        scope = scope_of(JobVariable(name=name, value=value) for name, value in below.items())
        expected = below
        for block in blocks:
            groups: list[dict[str, str]] = [value for _, value in block if isinstance(value, dict)]
            variables = []
            for name, value in block:
                if isinstance(value, dict):
                    text = Text(str(groups.index(value)), Location("f"))
                    variables.append(Variable(name="g", value=text, group=True))
                else:
                    variables.append(Variable(name=name.upper(), value=Text(str(value), Location("f"))))
            scope = extend(
                scope,
                variables,
                lambda _: Context(names={"variables": Object()}),
                lambda one, groups=groups: [  # type: ignore[misc]  # mypy does not infer lambdas with defaults
                    JobVariable(name=name, value=value) for name, value in groups[int(one.value.value)].items()
                ],
            )
            expected = reference(expected, block)
        assert {name: variable.value for name, variable in scope.items()} == expected

    check()


def attack(bench: Bench, statement: str) -> None:
    with bench.database.write() as transaction:
        transaction.execute(sqlalchemy.text(statement))


def test_a_group_that_was_edited_by_hand_fails_the_job_and_hands_out_nothing(bench: Bench) -> None:
    bench.group("settings", {"Region": "north"}, permit="demo")
    attack(bench, 'UPDATE variable_groups SET variables = \'{"Region":"evil"}\'')
    outcome = bench.run_pipeline(ECHO)
    assert outcome.dispatcher.requests == []
    assert outcome.run.result == "Failed"
    assert "cannot be opened" in outcome.jobs("Job")[0].message


@pytest.mark.parametrize("table", ["audit", "usage_history"])
def test_a_job_whose_opening_cannot_be_recorded_does_not_start(bench: Bench, table: str) -> None:
    group = bench.group("settings", secrets={"token": SECRET}, permit="demo")
    run = bench.create(ECHO)
    attack(bench, f"CREATE TRIGGER full BEFORE INSERT ON {table} BEGIN SELECT RAISE(FAIL, 'full'); END")
    with pytest.raises(sqlalchemy.exc.IntegrityError):
        bench.drive(run.id)
    attack(bench, "DROP TRIGGER full")
    assert bench.orchestrator.groups.history(group) == ()
    assert "Sluice.VariableGroupOpened" not in actions(bench)
    assert bench.drive(run.id).run.result == "Succeeded"


def test_a_permit_that_ends_while_jobs_start_lets_none_of_them_open_afterwards(bench: Bench) -> None:
    group = bench.group("settings", secrets={"token": SECRET}, permit="demo")
    jobs = "\n".join(
        f"- {{job: J{number}, variables: [{{group: settings}}], steps: [{{bash: 'echo x'}}]}}" for number in range(6)
    )
    run = bench.create(f"jobs:\n{jobs}")
    bench.drive(run.id, jobs=1, on_start={"J2.Bash1": lambda: bench.revoke(group)})
    with bench.database.read() as transaction:
        log = [link.entry for link in audit.newest(transaction, 100)]
    (ended,) = [entry.sequence for entry in log if entry.action == "Pipelines.ResourceUnauthorizedForPipeline"]
    opened = [entry.sequence for entry in log if entry.action == "Sluice.VariableGroupOpened"]
    assert opened
    assert max(opened) < ended
    assert len(opened) < 6
    assert waiting_names(bench, run.id)
