"""Other people at the command line: what they see, what they are refused, and what they are told."""

from __future__ import annotations

import json

import pytest
from tests.agent.cli.conftest import Sluice

PIPELINE = """
steps:
- task: SSH@0
  inputs: {sshEndpoint: web, runOptions: inline, inline: echo}
"""


@pytest.fixture
def ada(sluice: Sluice) -> Sluice:
    """The same installation with ada's token set."""
    sluice("user", "create", "ada")
    other = Sluice(sluice.folder)
    token = sluice("token", "create", "laptop", "--user", "ada", "--full-access").strip()
    other.environment["SLUICE_TOKEN"] = token
    return other


def test_on_a_personal_machine_nothing_has_to_be_set_up(sluice: Sluice) -> None:
    sluice.create("web")
    who = sluice.json("whoami")
    assert who["administrator"]
    roles = sluice.json("connection", "roles", "web")["roles"]
    assert {one["name"]: one["role"] for one in roles if one["kind"] == "user"} == {who["name"]: "Administrator"}


def test_who_has_no_role_sees_nothing(sluice: Sluice, ada: Sluice) -> None:
    sluice.create("web")
    assert ada.json("connection", "list") == []
    assert "web" not in ada("connection", "list")
    hidden = ada("connection", "show", "web", status=2)
    assert hidden.replace("web", "wob") == ada("connection", "show", "wob", status=2)
    for command in (("history", "web"), ("verify", "web"), ("roles", "web"), ("delete", "web", "--yes")):
        assert "there is no service connection 'web'" in ada("connection", *command, status=2)


def test_a_role_is_given_and_taken(sluice: Sluice, ada: Sluice) -> None:
    sluice.create("web")
    sluice("connection", "roles", "web", "--set", "ada=reader")
    assert [one["name"] for one in ada.json("connection", "list")] == ["web"]
    said = ada("connection", "permit", "web", "--all-pipelines", status=1)
    assert "you may not open the service connection 'web' to all pipelines" in said
    assert "ask one of its administrators" in said
    sluice("connection", "roles", "web", "--remove", "ada")
    assert ada.json("connection", "list") == []
    assert "no user or group 'bob'" in sluice("connection", "roles", "web", "--set", "bob=User", status=2)
    assert "takes NAME=ROLE" in sluice("connection", "roles", "web", "--set", "ada=Owner", status=2)
    assert "name a service connection" in sluice("connection", "roles", status=2)


def test_who_may_not_delete_is_told_so_before_being_asked(sluice: Sluice, ada: Sluice) -> None:
    sluice.create("web")
    sluice("connection", "roles", "web", "--set", "ada=reader")
    said = ada("connection", "delete", "web", status=1)
    assert "you may not delete the service connection 'web'" in said
    assert "--yes" not in said
    assert [one["name"] for one in sluice.json("connection", "list")] == ["web"]


def test_a_creator_administers_what_it_created(sluice: Sluice, ada: Sluice) -> None:
    assert "takes the role Creator in the project" in ada.run("connection", "create", "x", "--type", "ssh").stderr
    sluice("group", "add", "endpoint creators", "ada")
    ada.create("own")
    ada("connection", "update", "own", "--description", "mine")
    said = ada("connection", "roles", "own", "--remove", "ada", "--organization", status=2)
    assert "the last Administrator cannot be removed" in said
    roles = ada.json("connection", "roles", "own", "--organization")
    assert [(one["name"], one["access"]) for one in roles["roles"] if one["name"] == "ada"] == [("ada", "assigned")]


def test_a_token_is_shown_once_and_ends(sluice: Sluice, ada: Sluice) -> None:
    token = ada.environment["SLUICE_TOKEN"]
    shown = sluice("token", "list", "--user", "ada") + json.dumps(sluice.json("token", "list", "--user", "ada"))
    assert token not in shown + sluice("audit", "list")
    assert token[:12] in shown
    assert "somebody else's" in ada("token", "list", "--user", sluice.json("whoami")["name"], status=1)
    sluice("token", "revoke", "laptop", "--user", "ada")
    said = ada("connection", "list", status=1)
    assert "is not accepted: it was revoked" in said
    assert token not in said


def test_a_token_may_come_from_a_file(sluice: Sluice, ada: Sluice) -> None:
    (sluice.folder / "token").write_text(ada.environment["SLUICE_TOKEN"] + "\n")
    assert sluice.json("--token-file", "token", "whoami")["name"] == "ada"
    assert "cannot be read" in sluice("--token-file", "nothing", "whoami", status=2)


def test_a_token_that_a_script_did_not_get_is_not_the_owner_s(sluice: Sluice) -> None:
    for blank in ("", " "):
        sluice.environment["SLUICE_TOKEN"] = blank
        assert "holds no access token" in sluice("whoami", status=2)


def test_a_token_with_few_scopes_does_little(sluice: Sluice, ada: Sluice) -> None:
    sluice.create("web")
    sluice("connection", "roles", "web", "--set", "ada=Administrator")
    narrow = sluice("token", "create", "ci", "--user", "ada", "--scope", "vso.serviceendpoint").strip()
    ada.environment["SLUICE_TOKEN"] = narrow
    assert [one["name"] for one in ada.json("connection", "list")] == ["web"]
    assert "lacks the scope vso.serviceendpoint_manage" in ada("connection", "delete", "web", "--yes", status=1)
    assert "lacks the scope" in ada("token", "create", "more", "--full-access", status=1)
    assert "there is no scope" in sluice("token", "create", "x", "--scope", "vso.nothing", status=2)


def test_only_administrators_administer(sluice: Sluice, ada: Sluice) -> None:
    for command in (
        ("user", "create", "bob"),
        ("project", "create", "shop"),
        ("group", "create", "crew"),
        ("key", "rotate"),
        ("audit", "list"),
        ("audit", "accept-head", "--yes"),
        ("task", "remove", "Anything@1"),
    ):
        assert "you may not" in ada(*command, status=1), command


def test_a_run_of_a_new_file_asks_and_only_who_may_permits(sluice: Sluice, ada: Sluice) -> None:
    sluice.create("web")
    (sluice.folder / "p.yml").write_text(PIPELINE)
    assert "you may not create a pipeline" in ada("run", "p.yml", "--non-interactive", status=1)
    sluice("group", "add", "Contributors", "ada")
    ada("run", "p.yml", "--non-interactive", status=4)
    said = ada("permit", "1", status=1)
    assert "you may not permit a pipeline to use the service connection 'web'" in said
    assert "Did not authorize endpoint resource" in sluice("audit", "list")
    sluice("connection", "roles", "web", "--set", "ada=User")
    assert "Permitted" in ada("permit", "1")
    assert "run 1" in ada("runs", "show", "1").lower()


def test_runs_of_pipelines_that_one_does_not_see_are_not_there(sluice: Sluice, ada: Sluice) -> None:
    (sluice.folder / "p.yml").write_text("steps: [{bash: echo}]")
    sluice("run", "p.yml")
    assert ada.json("runs", "list") == []
    assert ada.json("pipeline", "list") == []
    shown = [("runs", "show", "1"), ("runs", "logs", "1"), ("retry", "1"), ("cancel", "1"), ("approve", "1")]
    for command in (*shown, ("permit", "1"), ("deny", "1"), ("reject", "1"), ("check", "bypass", "1", "x")):
        assert "there is no run 1" in ada(*command, status=2)
    sluice("pipeline", "roles", "p", "--set", "ada=Reader")
    ada("runs", "logs", "1")
    assert "you may not start or stop runs of the pipeline 'p'" in ada("run", "p.yml", status=1)
    sluice("pipeline", "roles", "p", "--set", "ada=User")
    ada("run", "p.yml")


def test_who_may_permit_one_thing_that_a_hidden_run_waits_for_is_asked_about_that_only(
    sluice: Sluice, ada: Sluice
) -> None:
    sluice.create("web")
    sluice.create("hidden")
    text = PIPELINE + PIPELINE.replace("web", "hidden").replace("\nsteps:", "").lstrip("\n")
    (sluice.folder / "p.yml").write_text(text)
    sluice("run", "p.yml", "--non-interactive", status=4)
    assert "there is no run 1" in ada("permit", "1", status=2)
    sluice("connection", "roles", "web", "--set", "ada=User")
    said = ada("permit", "1", "--connection", "hidden", status=2)
    assert "it waits for service connection 'web'" in said
    assert "'web'" in ada("permit", "1")
    assert "there is no run 1" in ada("permit", "1", status=2)


def test_only_who_sees_a_pipeline_or_may_make_one_is_told_what_it_could_use(sluice: Sluice, ada: Sluice) -> None:
    sluice.create("web")
    (sluice.folder / "p.yml").write_text(PIPELINE)
    assert "you may not create a pipeline" in ada("explain", "p.yml", status=1)
    sluice("pipeline", "create", "release", "p.yml")
    assert "you may not create a pipeline" in ada("explain", "p.yml", status=1)
    sluice("pipeline", "roles", "release", "--set", "ada=Reader")
    assert "permitted for this pipeline" in ada("explain", "p.yml")


def test_a_created_pipeline_may_use_what_it_names(sluice: Sluice) -> None:
    sluice.create("web")
    (sluice.folder / "p.yml").write_text(PIPELINE)
    said = sluice("pipeline", "create", "release", "p.yml")
    assert "Permitted: Service connection 'web'" in said
    assert "release" in sluice("connection", "show", "web")
    (sluice.folder / "q.yml").write_text(PIPELINE)
    assert sluice.json("pipeline", "create", "other", "q.yml", "--no-grant")["granted"] == []


def test_a_connection_of_another_project_is_shared(sluice: Sluice) -> None:
    sluice.create("web")
    sluice("project", "create", "shop")
    (sluice.folder / "p.yml").write_text(PIPELINE)
    said = sluice("run", "p.yml", "--project", "shop", status=2)
    command = "connection share web --from default --project shop --as web"
    assert command in said
    sluice(*command.replace("'", "").split())
    assert "no pipeline there may use it yet" not in sluice(
        "run", "p.yml", "--project", "shop", "--non-interactive", status=4
    )
    shown = sluice.json("connection", "show", "web", "--project", "shop")
    assert shown["isShared"]
    sluice("connection", "unshare", "web", "--project", "shop")
    assert sluice.json("connection", "list", "--project", "shop") == []


def test_what_is_hidden_in_another_project_is_no_hint(sluice: Sluice, ada: Sluice) -> None:
    sluice.create("web")
    sluice("project", "create", "shop")
    sluice("group", "add", "Contributors", "ada", "--project", "shop")
    (sluice.folder / "p.yml").write_text(PIPELINE)
    said = ada("run", "p.yml", "--project", "shop", status=2)
    assert "could not be found" in said
    assert "default" not in said


def test_groups_environments_files_and_variable_groups_have_roles(sluice: Sluice, ada: Sluice) -> None:
    sluice("variable-group", "create", "settings", "--set", "a=1")
    sluice("environment", "create", "prod")
    for kind, name in (("variable-group", "settings"), ("environment", "prod")):
        assert f"'{name}'" in ada(kind, "show", name, status=2)
        assert ada.json(kind, "list") == []
        sluice(kind, "roles", name, "--set", "ada=Reader")
        ada(kind, "show", name)
        assert "you may not" in ada(kind, "delete", name, "--yes", status=1)
        sluice(kind, "roles", name, "--set", "ada=Administrator")
        ada(kind, "delete", name, "--yes")


def test_a_project_that_is_mistyped_is_not_made(sluice: Sluice) -> None:
    assert "did you mean 'default'" in sluice.run("variable-group", "create", "x", "--project", "defalt").stderr
    assert [one["name"] for one in sluice.json("project", "list")] == ["default"]
    sluice("project", "create", "shop")
    assert "made the project" not in sluice("project", "delete", "shop", "--yes")
