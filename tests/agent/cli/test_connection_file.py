"""`sluice connection apply` and `export`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.agent.cli.conftest import Sluice

SECRET = "hunter2-very-secret-0815"

FILE = """
connections:
- name: web
  type: ssh
  description: the web server
  values:
    Host: web.invalid
    Port: 2222
    username: deploy
    JumpHost: jump
  secrets:
    password: env:WEB_PASSWORD
- name: jump
  type: ssh
  allPipelines: true
  values: {Host: jump.invalid, username: hop}
"""


def write(sluice: Sluice, text: str) -> str:
    (sluice.folder / "connections.yml").write_text(text)
    return text


def test_a_file_is_applied_once_and_then_changes_nothing(sluice: Sluice) -> None:
    write(sluice, FILE)
    plan = sluice.json("connection", "apply", "--plan")
    assert plan["applied"] is False
    assert sluice.json("connection", "list") == []
    first = sluice.json("connection", "apply")
    assert [(change["action"], change["name"]) for change in first["changes"]] == [
        ("create", "web"),
        ("create", "jump"),
    ]
    second = sluice.json("connection", "apply", "connections.yml")
    assert [change["action"] for change in second["changes"]] == ["unchanged", "unchanged"]
    shown = sluice.json("connection", "show", "web")
    assert (shown["url"], shown["references"]) == ("ssh://web.invalid:2222", {"password": "env:WEB_PASSWORD"})
    sluice("connection", "apply", "--plan")
    assert "nothing was changed" in sluice.printed


def test_an_export_applies_elsewhere(sluice: Sluice) -> None:
    write(sluice, FILE)
    sluice("connection", "apply")
    sluice("connection", "update", "jump", "--secret", "password=-", given=SECRET)
    exported = sluice("connection", "export")
    assert SECRET not in sluice.printed
    assert "'jump': left out password" in sluice.printed
    write(sluice, exported)
    assert {change["action"] for change in sluice.json("connection", "apply")["changes"]} == {"unchanged"}
    sluice("connection", "apply", "--project", "other")
    assert sluice("connection", "export", "--project", "other") == exported


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        ("connections:\n- name: web\n  typ: ssh\n", "3:3", "unknown key 'typ'"),
        ("connections:\n- type: ssh\n", "2:3", "needs 'name'"),
        ("connections:\n- web\n", "2:3", "must be a mapping"),
        ("connections: web\n", "1:14", "must be a list"),
        ("- web\n", "1:1", "must be a mapping with 'connections:'"),
        ("connection: []\n", "1:1", "did you mean 'connections'?"),
        ("connections:\n- name: web\n  type: [ssh]\n", "3:9", "must be a text"),
        ("connections:\n- name: web\n  type: ssh\n  disabled: maybe\n", "4:13", "true or false"),
        ("connections:\n- name: web\n  type: ssh\n  values: x\n", "4:11", "must be a mapping"),
        ("connections:\n- name: web\n  type: ssh\n  secrets:\n    password: hunter2-very\n", "5:15", "a reference"),
        ("connections:\n- name: web\n  type: shs\n", "2:3", "did you mean 'ssh'"),
        ("connections:\n- name: web\n  type: ssh\n  values: {Hots: x}\n", "2:3", "did you mean 'Host'"),
        ("connections:\n- name: web\n  type: ssh\n", "2:3", "('Host') is required"),
        ("connections:\n- &a name\n- *a\n", "2:", "anchors"),
        ("connections:\n- {name: web\n", "", "not valid YAML"),
        ("\t", "", ""),
    ],
)
def test_a_mistake_is_told_with_its_place_and_nothing_is_stored(
    sluice: Sluice, text: str, place: str, what: str
) -> None:
    write(sluice, text)
    error = sluice("connection", "apply", status=2)
    assert f"connections.yml:{place}" in error
    assert what in error
    assert "hunter2" not in error
    assert sluice.json("connection", "list") == []


def test_hostile_files_are_refused_quickly(sluice: Sluice) -> None:
    bomb = "a: &a [x,x]\n" + "".join(f"b{n}: &b{n} [*a,*a]\n" for n in range(50))
    for text in (bomb, "[" * 50_000, "connections:\n" + "- x\n" * 200_000, "\0" * 100):
        write(sluice, text)
        sluice("connection", "apply", status=2)
    with (sluice.folder / "connections.yml").open("wb") as file:
        file.truncate(50_000_000)
    assert "larger than" in sluice("connection", "apply", status=2)


def test_an_empty_file_describes_nothing(sluice: Sluice) -> None:
    for text in ("", "connections:\n", "connections: []\n"):
        write(sluice, text)
        assert sluice.json("connection", "apply")["changes"] == []


def test_a_pipe_or_a_device_in_place_of_a_file_is_told_at_once(sluice: Sluice) -> None:
    os.mkfifo(sluice.folder / "pipe.yml")
    (sluice.folder / "endless.yml").symlink_to("/dev/zero")
    for name in ("pipe.yml", "endless.yml"):
        assert "it is a pipe, a device or a socket" in sluice("connection", "apply", name, status=2)
        assert sluice("connection", "create", "w", "--type", "generic", "--secret", f"password=@{name}", status=2)


def test_untrusted_runs_and_expiry_are_in_the_file_and_come_back(sluice: Sluice) -> None:
    sluice.create("web", "--expires", "2999-01-31", "--allow-untrusted", "pull-requests")
    sluice.create("plain")
    text = sluice("connection", "export")
    assert (text.count("2999-01-31"), text.count("allowUntrusted")) == (1, 1)
    (sluice.folder / "connections.yml").write_text(text)
    assert [one["action"] for one in sluice.json("connection", "apply")["changes"]] == ["unchanged", "unchanged"]
    (sluice.folder / "connections.yml").write_text(
        text.replace("2999-01-31", "2998-01-31").replace("pull-requests", "none")
    )
    assert sluice.json("connection", "apply")["changes"][1]["details"] == "allowUntrusted, expires"
    assert sluice.json("connection", "show", "web")["allowUntrusted"] == "none"
    (sluice.folder / "connections.yml").write_text(text.replace("pull-requests", "everybody"))
    assert "'allowUntrusted' must be one of" in sluice("connection", "apply", status=2)
    (sluice.folder / "connections.yml").write_text(text.replace("'2999-01-31'", "soon"))
    assert "is no date" in sluice("connection", "apply", status=2)
