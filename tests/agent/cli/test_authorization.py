"""`sluice authorization`: permits, roles and policies in bulk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.agent.cli.conftest import Sluice

WANTED = """
permissions:
- connection: web
  pipelines:
  - azure-pipelines.yml
  - {pipeline: nightly.yml, stages: [Deploy], branches: [main]}
  roles: {ada: User}
  allowUntrusted: pull-requests
- variableGroup: settings
  allPipelines: true
- environment: production
  pipelines: [nightly.yml]
- secureFile: signing.key
  pipelines: []
"""


@pytest.fixture
def filled(sluice: Sluice) -> Sluice:
    for name in ("azure-pipelines.yml", "nightly.yml"):
        (sluice.folder / name).write_text("steps:\n- bash: echo\n")
    (sluice.folder / "permissions.yml").write_text(WANTED)
    (sluice.folder / "signing.key").write_text("the key of the signer")
    sluice.create()
    sluice("variable-group", "create", "settings", "--set", "a=b")
    sluice("environment", "create", "production")
    sluice("secure-file", "upload", "signing.key")
    sluice("user", "create", "ada")
    return sluice


def apply(sluice: Sluice, text: str) -> list[tuple[str, str, str]]:
    (sluice.folder / "permissions.yml").write_text(text)
    changes = sluice.json("authorization", "apply", "--yes")["changes"]
    return [(one["action"], one["resource"], one["who"]) for one in changes]


def test_a_plan_is_shown_and_nothing_done_until_somebody_agrees(filled: Sluice) -> None:
    count = len(filled.json("audit", "list"))
    plan = filled("authorization", "apply", "--plan")
    assert "stages Deploy; branches refs/heads/main" in plan
    assert "add --yes, or --plan" in filled("authorization", "apply", status=2)
    assert len(filled.json("audit", "list")) == count
    assert filled.json("pipeline", "list") == []
    status, shown = filled.on_a_terminal(["authorization", "apply"], [("Make these 6 changes?", "y\n")])
    assert (status, "applied 6 changes" in shown) == (0, True)


def test_a_second_time_changes_nothing_and_what_is_shown_applies(filled: Sluice) -> None:
    assert len(apply(filled, WANTED)) == 6
    count = len(filled.json("audit", "list"))
    assert apply(filled, WANTED) == []
    shown = filled("authorization", "show")
    assert apply(filled, shown) == []
    assert len(filled.json("audit", "list")) == count
    document = filled.json("authorization", "show")["permissions"]
    assert {name: value for one in document for name, value in one.items() if name != "pipelines"} == {
        "connection": "web",
        "roles": {"ada": "User"},
        "allowUntrusted": "pull-requests",
        "variableGroup": "settings",
        "allPipelines": True,
        "environment": "production",
        "secureFile": "signing.key",
    }
    assert "is whole" in filled("audit", "verify")


def test_what_is_left_out_of_a_list_is_taken_away_and_what_is_not_named_stays(filled: Sluice) -> None:
    apply(filled, WANTED)
    fewer = "permissions:\n- {connection: web, pipelines: [nightly.yml], roles: {}}\n"
    web = "service connection 'web'"
    assert apply(filled, fewer) == [
        ("limit", web, "nightly"),
        ("revoke", web, filled.folder.name),
        ("remove", web, "ada"),
    ]
    assert filled.json("connection", "show", "web")["allowUntrusted"] == "pull-requests"
    assert "all pipelines" in filled("variable-group", "show", "settings")


def test_all_or_nothing_is_applied(filled: Sluice) -> None:
    (filled.folder / "permissions.yml").write_text(f"{WANTED}- {{connection: wob, pipelines: []}}\n")
    assert "permissions.yml:15:3: there is no service connection 'wob'" in filled(
        "authorization", "apply", "--yes", status=2
    )
    assert filled.json("connection", "show", "web")["pipelines"] == []


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("conection: web", "permissions.yml:2:3: unknown key 'conection' (did you mean 'connection'?)"),
        ("{connection: web, environment: production}", "2:3: an entry names one resource"),
        ("{connection: web, pipelines: nope}", "2:32: 'pipelines' must be a list"),
        ("{connection: web, roles: {ada: King}}", "2:34: 'ada' has no such role"),
        ("{connection: web, roles: {ada: Creator}}", "'ada' has no such role"),
        ("{connection: [web]}", "2:16: 'connection' must be a text"),
        ("{connection: web, allPipelines: perhaps}", "'allPipelines' must be true, false"),
        ("{connection: web, allowUntrusted: all}", "'allowUntrusted' must be one of none, pull-requests, forks"),
        ("{connection: web, pipelines: [{stages: [A]}]}", "needs 'pipeline'"),
        ("{connection: web, pipelines: [{pipeline: nightly.yml, tasks: ['a b']}]}", "'a b' names no task"),
        ("{variableGroup: settings, pipelines: [{pipeline: nightly.yml, tasks: [A]}]}", "can be limited"),
        ("{connection: web, pipelines: [nowhere.yml]}", "2:33: there is no pipeline 'nowhere.yml'"),
        ("{connection: web, pipelines: [nightly.yml, nightly.yml]}", "is permitted twice"),
        ("{connection: web}\n- {connection: WEB}", "3:3: 'web' is described twice: first at"),
        ("{connection: web, roles: {nobody: User}}", "2:3: there is no user or group 'nobody'"),
        ("web", "a resource must be a mapping"),
    ],
)
def test_a_mistake_is_told_with_its_place(filled: Sluice, entry: str, told: str) -> None:
    (filled.folder / "permissions.yml").write_text(f"permissions:\n- {entry}\n")
    assert told in filled("authorization", "apply", "--yes", status=2)
