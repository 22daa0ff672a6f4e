"""Abuse case 16: a pull request or a fork changes the pipeline to use what is permitted for its trusted runs."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from sluice.connections.connection import Update
from sluice.storage import actions, audit

if TYPE_CHECKING:
    from tests.abuse.conftest import Sluice
    from tests.agent.runs.conftest import Bench

PLANNED = """
stages:
- stage: Build
  jobs: [{job: J, steps: [{checkout: none}, {bash: echo built}]}]
- stage: Ship
  condition: always()
  jobs:
  - job: J
    steps:
    - checkout: none
    - task: Deliver@1
      name: hand
      inputs: {to: depot, what: crates}
"""
AT_RUN_TIME = PLANNED.replace("to: depot", "to: $(where)").replace(
    "    - task", "    - bash: echo '##vso[task.setvariable variable=where]depot'\n    - task"
)
GROUP = """
variables: [{group: settings}]
steps: [{checkout: none}, {bash: 'echo "[$(token)]"'}]
"""
UNTRUSTED = [{"branch": "refs/pull/7/merge"}, {"branch": "refs/heads/main", "untrusted": "fork"}]


def _reasons(bench: Bench) -> list[str]:
    with bench.database.read() as transaction:
        links = audit.newest(transaction, 100)
    return [audit.describe(one.entry) for one in links if one.entry.action == actions.ACCESS_REFUSED.id]


@pytest.mark.parametrize("source", UNTRUSTED)
@pytest.mark.parametrize("pipeline", [PLANNED, AT_RUN_TIME])
def test_a_permitted_pipeline_gets_no_connection_for_changes_of_strangers(
    bench: Bench, pipeline: str, source: dict[str, str]
) -> None:
    record = bench.connection("depot", scheme="Token", permit="demo")
    done = bench.run_pipeline(pipeline, source=source)
    assert done.results()["Build"] == "Succeeded"
    assert done.results()["Ship"] == "Failed"
    assert bench.store.history(record) == ()
    assert [text.endswith(": untrusted-ref.") for text in _reasons(bench)] == [True]
    assert bench.run_pipeline(pipeline, source={"branch": "refs/heads/main"}).run.result == "Succeeded"


def test_a_connection_that_lets_pull_requests_in_does_not_let_forks_in(bench: Bench) -> None:
    record = bench.connection("depot", scheme="Token", permit="demo")
    bench.store.update("default", "depot", Update(untrusted="pull-requests"), by="owner")
    assert bench.run_pipeline(PLANNED, source=UNTRUSTED[0]).run.result == "Succeeded"
    assert bench.run_pipeline(PLANNED, source=UNTRUSTED[1]).results()["Ship"] == "Failed"
    bench.store.update("default", "depot", Update(untrusted="forks"), by="owner")
    assert bench.run_pipeline(PLANNED, source=UNTRUSTED[1]).run.result == "Succeeded"
    assert len(bench.store.history(record)) == 2


def test_letting_them_in_is_no_permit(bench: Bench) -> None:
    bench.connection("depot")
    bench.store.update("default", "depot", Update(untrusted="forks"), by="owner")
    assert bench.run_pipeline(PLANNED, source=UNTRUSTED[1]).results()["Ship"] == "waiting"


def test_a_policy_that_is_put_back_by_hand_lets_nobody_in(bench: Bench) -> None:
    import sqlite3

    bench.connection("depot", permit="demo")
    bench.store.update("default", "depot", Update(untrusted="forks"), by="owner")
    with sqlite3.connect(bench.home.database) as database:
        before = database.execute("SELECT * FROM resource_policies").fetchone()
    bench.store.update("default", "depot", Update(untrusted="none"), by="owner")
    with sqlite3.connect(bench.home.database) as database:
        database.execute("DELETE FROM resource_policies")
        database.execute("INSERT INTO resource_policies VALUES (?, ?, ?, ?, ?)", before)
    assert bench.run_pipeline(PLANNED, source=UNTRUSTED[1]).results()["Ship"] == "Failed"


def test_a_group_with_secrets_is_kept_from_them_and_one_without_is_not(bench: Bench) -> None:
    bench.group("settings", secrets={"token": "s3cr3t-of-the-group"}, permit="demo")
    kept = bench.run_pipeline(GROUP, source=UNTRUSTED[0])
    assert kept.run.result == "Failed"
    assert bench.orchestrator.groups.let_in("default", "settings", "pull-requests", by="owner")
    assert bench.run_pipeline(GROUP, source=UNTRUSTED[0]).run.result == "Succeeded"
    bench.orchestrator.groups.delete("default", "settings", by="owner")
    bench.group("settings", {"token": "public"}, permit="demo")
    assert bench.run_pipeline(GROUP, source=UNTRUSTED[1]).run.result == "Succeeded"


def test_secret_settings_of_the_pipeline_are_kept_from_them(bench: Bench) -> None:
    from sluice.secret import Secret

    _, pipeline = bench.pipeline("demo")
    bench.orchestrator.settings.set(pipeline, {}, {"token": Secret("s3cr3t-of-settings")}, by="owner")
    script = "steps: [{checkout: none}, {bash: 'echo \"[${#MINE}]\"', env: {MINE: $(token)}}]\n"
    trusted = bench.run_pipeline(script)
    untrusted = bench.run_pipeline(script, source=UNTRUSTED[1])
    assert trusted.output(trusted.jobs("Job")[0].id) == ["[18]"]
    assert untrusted.output(untrusted.jobs("Job")[0].id) == ["[0]"]


STEP = "steps:\n- task: SSH@0\n  inputs: {sshEndpoint: web, runOptions: inline, inline: uptime}\n"


def test_the_question_for_a_permit_shows_what_changed_since_the_last_permitted_run(sluice: Sluice) -> None:
    file = sluice.folder / "azure-pipelines.yml"
    file.write_text(STEP)
    for command in ("init -q -b main", "add azure-pipelines.yml", "commit -q -m first"):
        identity = ("-c", "user.name=me", "-c", "user.email=me@x.invalid")
        subprocess.run(["git", *identity, *command.split()], cwd=sluice.folder, check=True)
    sluice.create()
    address = ("--set", "Host=127.0.0.1", "--set", "Port=1")
    sluice("connection", "update", "web", *address, "--secret", "password=-", given="hunter2-very-secret-0815")
    sluice("run", "--non-interactive", "--permit", "web", status=1)  # nobody answers there
    sluice("connection", "revoke", "web", "--pipeline", sluice.folder.name)
    file.write_text(STEP.replace("uptime", "cat /etc/shadow"))
    status, shown = sluice.on_a_terminal(["run"], [("[w]ait: ", "v"), ("[w]ait: ", "l")])
    assert status == 4
    assert "changed since run 1 used it" in shown
    assert "+  inputs: {sshEndpoint: web, runOptions: inline, inline: cat /etc/shadow}" in shown


FROM_ELSEWHERE = """
resources:
  repositories:
  - {repository: shared, type: github, name: acme/templates, endpoint: gh}
steps:
- template: steps.yml@shared
"""


def test_templates_are_not_read_through_a_connection_that_does_not_let_the_run_in(sluice: Sluice) -> None:
    (sluice.folder / "azure-pipelines.yml").write_text(FROM_ELSEWHERE)
    token = ("--type", "github", "--scheme", "PersonalAccessToken", "--secret", "accessToken=-")
    sluice("connection", "create", "gh", *token, "--allow-all-pipelines", given="ghp_very-secret-token-0815")
    for command in ("run", "explain"):
        told = sluice.run(command, "--untrusted").stderr
        assert "The service connection 'gh' is not given to this run: it runs the changes of a fork" in told
    assert sluice.json("connection", "history", "gh") == []
    refused = sluice.json("audit", "list", "--action", "AccessRefused")
    assert {one["details"]["Reason"] for one in refused} == {"untrusted-ref"}
