"""Predefined variables of a run, as its steps see them."""

from __future__ import annotations

from tests.agent.runs.conftest import Bench

from sluice.runtime.predefined import SERVER_ADDRESSES


def test_a_script_finds_the_addresses_of_the_server_as_a_task_package_does(bench: Bench) -> None:
    outcome = bench.run_pipeline(
        """
steps:
- checkout: none
- bash: |
    printenv SYSTEM_COLLECTIONURI SYSTEM_TASKDEFINITIONSURI
    printenv SYSTEM_TEAMFOUNDATIONCOLLECTIONURI SYSTEM_TEAMFOUNDATIONSERVERURI
    echo $(System.TeamFoundationCollectionUri)
"""
    )
    assert outcome.run.result == "Succeeded"
    address = SERVER_ADDRESSES["System.CollectionUri"]
    lines = outcome.output(outcome.jobs("Job")[0].id)
    assert [line for line in lines if line.startswith(address)] == [address] * 5
