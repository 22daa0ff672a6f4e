"""The page of a run, and what people do there."""

from __future__ import annotations

import re

from tests.agent.server.web.conftest import WAITS, Browser, House, OpenBrowser

from sluice.storage import permissions, projects, requests


def test_the_banner_the_panel_and_the_dialog_have_the_documented_words(house: House, browser: Browser) -> None:
    house.connection()
    page = browser.get("/local/default/_build/results", buildId=house.run().id)
    assert (
        "This pipeline needs permission to access a resource before this run can continue to Deploy to web" in page.text
    )
    assert "Waiting for review" in page.text
    assert "Permission needed" in page.text
    assert "Permit access?" in page.text
    assert (
        "Granting permission here will permit the use of Service connection 'web1' "
        "for all waiting and future runs of this pipeline." in page.text
    )


def test_a_permit_is_stored_and_the_run_waits_no_more(house: House, browser: Browser) -> None:
    connection = house.connection()
    run = house.run()
    page = browser.get("/local/default/_build/results", buildId=run.id).submit("/permit")
    assert page.status == 200
    with house.state.database.read() as transaction:
        home = projects.find(transaction, "default")
        assert permissions.permitted(transaction, permissions.Resource(home.id, connection), run.pipeline_id)
        assert not requests.of_run(transaction, run.id, state="running")
    assert "needs permission" not in page.text


def test_a_permit_that_is_sent_twice_says_that_it_was_decided(house: House, browser: Browser) -> None:
    house.connection()
    page = browser.get("/local/default/_build/results", buildId=house.run().id)
    page.submit("/permit")
    again = page.submit("/permit")
    assert again.status == 409
    assert "Somebody has decided this already" in again.text


def test_who_may_not_permit_finds_the_button_disabled_and_whom_to_ask(house: House, open_browser: OpenBrowser) -> None:
    house.connection()
    run = house.run()
    bob = open_browser("bob")
    _reader(house, "bob", run.pipeline_id)
    page = bob.get("/local/default/_build/results", buildId=run.id)
    assert page.status == 200
    assert "You may not permit a pipeline to use the service connection 'web1'" in page.text
    assert "What to do: ask" in page.text
    assert not [form for form in page.forms() if form.action.endswith("/permit")]
    with house.state.database.read() as transaction:
        [asked] = requests.of_run(transaction, run.id, state="running")
    forced = bob.post(
        f"/local/default/_build/results/{run.id}/permit", {"__csrf": bob.csrf, "request": str(asked.id), "version": "1"}
    )
    assert forced.status == 403
    with house.state.database.read() as transaction:
        assert requests.of_run(transaction, run.id, state="running")


def test_a_change_without_the_sessions_token_is_refused(house: House, browser: Browser) -> None:
    house.connection()
    run = house.run()
    answer = browser.post(f"/local/default/_build/results/{run.id}/cancel", {})
    assert answer.status in {401, 403}
    assert house.records(run.id)[-1].state != "canceled"


def test_a_run_of_another_project_is_not_there(house: House, browser: Browser) -> None:
    run = house.run("steps: [{script: echo hello}]")
    with house.state.database.write() as transaction:
        projects.ensure(transaction, "shop")
    assert browser.get("/local/shop/_build/results", buildId=run.id).status == 404


def test_a_run_that_is_not_seen_is_not_there(house: House, open_browser: OpenBrowser) -> None:
    run = house.run("steps: [{script: echo hello}]")
    page = open_browser("eve").get("/local/default/_build/results", buildId=run.id)
    assert page.status == 404
    assert "hello" not in page.html


def test_what_a_log_holds_is_text_on_the_page(house: House, browser: Browser) -> None:
    house.connection()
    run = house.run()
    step = next(one for one in house.records(run.id) if one.name == "Compile everything")
    page = browser.get("/local/default/_build/results", buildId=run.id, s=step.id)
    assert "<script>alert(1)</script>" not in page.html
    assert "fetched <script>alert(1)</script>" in page.text
    assert "\x1b" not in page.html


def test_a_canceled_run_says_so(house: House, browser: Browser) -> None:
    house.connection()
    run = house.run()
    page = browser.get("/local/default/_build/results", buildId=run.id).submit("/cancel")
    assert page.status == 200
    house.drive(run.id)
    assert "Canceled" in browser.get("/local/default/_build/results", buildId=run.id).text


def test_what_failed_is_run_again_and_a_job_from_a_step_on(house: House, browser: Browser) -> None:
    run = house.run("steps: [{checkout: none}, {script: echo one}, {script: exit 3, displayName: Break}]")
    page = browser.get("/local/default/_build/results", buildId=run.id)
    assert "Rerun failed jobs" in page.text
    assert "Bash exited with code '3'." in page.text
    page.submit("/retry")
    assert house.drive(run.id).result == "Failed"
    step = next(one for one in house.records(run.id) if one.name == "Break")
    assert step.attempt == 2
    again = browser.get("/local/default/_build/results", buildId=run.id, s=step.id)
    assert "Rerun from here" in again.text
    first = browser.get("/local/default/_build/results", buildId=run.id, s=step.id, attempt=1)
    [log] = re.findall(r'id="log-bar" data-step="([^"]+)"', first.html)
    assert log != step.id
    assert "Bash exited with code '3'." in browser.get("/local/default/_build/log/text", buildId=run.id, step=log).html
    [form] = [one for one in again.forms() if one.values.get("from")]
    assert form.values["from"] == step.identifier


def test_no_secret_is_in_any_page_of_a_run(house: House, browser: Browser) -> None:
    house.connection()
    run = house.run(WAITS)
    for path in ("/local/default/_build", f"/local/default/_build/results?buildId={run.id}"):
        assert "correct-horse-7" not in browser.get(path).html


def _reader(house: House, user: str, pipeline_id: int) -> None:
    """Let a user see one pipeline, and nothing else."""
    import time

    from sluice.authorization.roles import PIPELINE, Level, Role
    from sluice.connections.guard import Unrestricted
    from sluice.identity import assignments

    with house.state.database.write() as transaction:
        home = projects.find(transaction, "default")
        place = assignments.Place(permissions.Resource(home.id, str(pipeline_id), PIPELINE), Level.PROJECT, "release")
        subject = assignments.find_subject(transaction, home, user)
        assignments.set_role(transaction, Unrestricted("root"), place, subject, Role.READER, at=time.time())


def test_a_pipeline_is_run_from_its_page_with_parameters(house: House, browser: Browser) -> None:
    first = house.run(
        "parameters: [{name: who, default: you}]\nsteps: [{checkout: none}, {script: 'echo ${{ parameters.who }}'}]"
    )
    page = browser.get("/local/default/_build", definitionId=first.pipeline_id)
    made = page.submit("/run", parameters="who: ada\n")
    assert made.status == 200
    run = house.drive(first.id + 1)
    assert run.result == "Succeeded"
    step = next(one for one in house.records(run.id) if one.name == "CmdLine")
    assert "echo ada" in browser.get("/local/default/_build/results", buildId=run.id, s=step.id).text
    wrong = page.submit("/run", parameters="nobody: ada\n")
    assert wrong.status == 400
    assert "nobody" in wrong.text


def test_a_run_of_very_many_steps_shows_those_that_are_looked_at(house: House, browser: Browser) -> None:
    legs = ", ".join(f"leg{number}: {{n: '{number}'}}" for number in range(60))
    steps = "".join(
        f"  - script: echo step\n    displayName: Step {number}\n    condition: {'always' if number == 3 else 'and'}()\n"
        for number in range(6)
    ).replace("and()", "false")
    run = house.run(f"jobs:\n- job: Many\n  strategy:\n    matrix: {{{legs}}}\n  steps:\n  - checkout: none\n{steps}")
    page = browser.get("/local/default/_build/results", buildId=run.id)
    assert "Show its 6 steps" in page.text
    assert page.text.count("Step 3") < 5
    chosen = next(one for one in house.records(run.id) if "leg7" in one.identifier and one.name == "Step 3")
    assert "Step 3" in browser.get("/local/default/_build/results", buildId=run.id, s=chosen.id).text


def test_every_way_to_write_the_first_address_leads_to_the_projects(house: House, browser: Browser) -> None:
    house.run("steps: [{script: echo hello}]")
    for path in ("/", "/local/", "/local", "/LOCAL/"):
        page = browser.get(path)
        assert page.status == 200, path
        assert "Projects" in page.text, path
    assert "Pipelines" in browser.get("/local/default").text
    assert "Pipelines" in browser.get("/default").text
    assert browser.get("/local/nothing/_build").status == 404
