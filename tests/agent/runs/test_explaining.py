"""What `sluice explain` is made of: nothing is stored, permits are told with their giver, forecasts go as far as known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from sluice.language.compiler import compile_pipeline
from sluice.runs.creation import NewRun
from sluice.runs.explaining import Explainer
from sluice.runs.predefined import Source
from sluice.storage import tables

if TYPE_CHECKING:
    from tests.agent.runs.conftest import Bench

    from sluice.runs.explaining import ExplainedStage


def explain(bench: Bench, text: str, **variables: str) -> tuple[ExplainedStage, ...]:
    plan = compile_pipeline("azure-pipelines.yml", text, catalogue=bench.catalogue)
    project, pipeline = bench.pipeline("demo")
    new = NewRun(
        plan=plan,
        project=project,
        pipeline=pipeline,
        source=Source(root=str(bench.folder), branch="refs/heads/main"),
        requested_by="tester",
        variables=variables,
    )
    explainer = Explainer(
        store=bench.store, catalogue=bench.catalogue, new=new, now=bench.clock(), file="azure-pipelines.yml"
    )
    with bench.database.read() as transaction:
        return explainer.stages(transaction)


def verdict(bench: Bench, condition: str, **variables: str) -> str:
    stages = explain(
        bench,
        f"""
        variables: {{a: one, c: "$[counter('x', 1)]", late: "$[ format('{{0}}', variables.a) ]"}}
        stages:
        - stage: A
          jobs: [{{job: J, steps: [{{bash: echo}}]}}]
        - stage: B
          condition: {condition}
          jobs: [{{job: J, steps: [{{bash: echo}}]}}]
        """,
        **variables,
    )
    return str(stages[1].forecast.verdict)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("always()", "runs"),
        ("failed()", "skipped"),
        ("canceled()", "skipped"),
        ("succeededOrFailed()", "runs"),
        ("eq(variables.a, 'one')", "runs"),
        ("eq(variables['late'], 'one')", "runs"),
        ("eq(variables.c, 1)", "open"),
        ("or(eq(variables.c, 1), always())", "runs"),
        ("and(eq(variables.c, 1), false)", "skipped"),
        ("not(eq(variables.c, 1))", "open"),
        ("eq(variables['Build.SourceBranch'], 'refs/heads/main')", "runs"),
        ("eq(variables['Build.BuildId'], 7)", "open"),
        ("eq(variables.q, 'given')", "runs"),
        ("eq(dependencies.A.result, 'Succeeded')", "open"),
        ("lt(variables.a, 3)", "skipped"),
        ("lt(3, variables.a)", "fails"),
    ],
)
def test_a_condition_is_evaluated_as_far_as_it_is_known(bench: Bench, condition: str, expected: str) -> None:
    assert verdict(bench, condition, q="given") == expected


def test_a_permit_is_told_with_who_gave_it_and_when_and_nothing_is_stored(bench: Bench) -> None:
    depot = bench.connection("depot")
    bench.permit(depot)
    tables_before = counts(bench)
    (stage,) = explain(bench, "steps: [{task: Deliver@1, inputs: {to: depot, what: it}}]")
    (need,) = stage.needs
    assert (need.state, need.job, need.step, need.input) == ("permitted", "Job", "Deliver1", "depot")
    assert need.text.startswith("permitted for this pipeline by tester on ")
    assert counts(bench) == tables_before


def counts(bench: Bench) -> dict[str, int]:
    with bench.database.read() as transaction:
        return {
            name: transaction.value(select(func.count()).select_from(table))
            for name, table in tables.projects.metadata.tables.items()
        }
