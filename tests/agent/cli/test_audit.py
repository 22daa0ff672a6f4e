"""`sluice audit`."""

from __future__ import annotations

import json
import sqlite3
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.agent.cli.conftest import Sluice


def edit(sluice: Sluice, statement: str) -> None:
    connection = sqlite3.connect(sluice.home / "data" / "sluice.db")
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_every_change_is_listed_with_who_did_it(sluice: Sluice) -> None:
    sluice.create("web", "--allow-all-pipelines")
    sluice.create("other")
    sluice("connection", "delete", "web", "--yes")
    entries = sluice.json("audit", "list")
    assert [entry["actionId"] for entry in entries] == [
        "Library.ServiceConnectionCreated",
        "Pipelines.ResourceAuthorizedForProject",
        "Library.ServiceConnectionCreated",
        "Pipelines.ResourceUnauthorizedForProject",
        "Library.ServiceConnectionDeleted",
    ]
    assert entries[0]["text"] == 'Created Service Connection "web" of type ssh.'
    assert all(entry["actor"] and entry["at"].endswith("Z") for entry in entries)
    assert len(sluice.json("audit", "list", "--limit", "2")) == 2
    assert len(sluice.json("audit", "list", "--connection", "other")) == 1
    assert "Created Service Connection" in sluice("audit", "list")


def test_a_whole_log_verifies_and_tells_its_end(sluice: Sluice) -> None:
    assert sluice.json("audit", "verify")["whole"] is True
    sluice.create()
    answer = sluice.json("audit", "verify")
    assert (answer["whole"], answer["head"].partition(":")[0]) == (True, "1")
    sluice("connection", "update", "web", "--set", "RemoteShell=plain")
    sluice("audit", "verify", "--head", answer["head"])


def test_an_edited_log_fails_and_names_the_entry(sluice: Sluice) -> None:
    sluice.create()
    sluice.create("other")
    head = sluice.json("audit", "verify")["head"]
    edit(sluice, "UPDATE audit SET actor = 'somebody' WHERE sequence = 1")
    assert "entry 1: it was changed" in sluice("audit", "verify", status=1)
    edit(sluice, "DELETE FROM audit WHERE sequence = 1")
    assert "entries are missing" in sluice("audit", "verify", status=1)
    edit(sluice, "DELETE FROM audit")
    assert "cut off" in sluice("audit", "verify", status=1)
    (sluice.home / "keys" / "audit-head").unlink()
    assert "nobody created it" in sluice("audit", "verify", status=1)
    edit(sluice, "DELETE FROM connections")
    sluice("audit", "verify")
    assert "cut off" in sluice("audit", "verify", "--head", head, status=1)
    assert "SEQUENCE:HASH" in sluice("audit", "verify", "--head", "x", status=2)


def test_the_newest_entry_cannot_be_removed_unnoticed(sluice: Sluice) -> None:
    sluice.create()
    sluice("connection", "verify", "web", status=1)
    edit(sluice, "DELETE FROM audit WHERE sequence = (SELECT max(sequence) FROM audit)")
    error = sluice("audit", "verify", status=1)
    assert "cut off" in error
    assert "sluice audit accept-head" in error


@pytest.mark.parametrize(
    "change",
    [
        "connections SET url = 'ssh://other:22'",
        "connections SET data = replace(data, 'web.invalid', 'other.invalid')",
        "connections SET created_by = 'somebody'",
        "connections SET modified_at = modified_at + 1",
        "connections SET sealed = CAST(sealed || x'00' AS BLOB)",
        "connections SET sealed = 'text'",
        "connections SET wrapped_key = CAST(wrapped_key || x'00' AS BLOB)",
        "connections SET key_id = 'file-0000000000000000'",
        "connection_projects SET name = 'other', name_key = 'other'",
        "connection_projects SET description = 'other'",
        "variable_groups SET description = 'other'",
        "variable_groups SET variables = replace(variables, 'one', 'two')",
        "variable_groups SET modified_by = 'somebody'",
        "variable_groups SET sealed = CAST(sealed || x'00' AS BLOB)",
        "variable_groups SET wrapped_key = zeroblob(60)",
    ],
)
def test_an_edit_of_any_column_is_found(sluice: Sluice, change: str) -> None:
    sluice.create()
    sluice("variable-group", "create", "settings", "--set", "colour=one")
    assert sluice.json("audit", "verify")["whole"] is True
    edit(sluice, f"UPDATE {change}")
    error = sluice("audit", "verify", status=1)
    assert change.partition("_")[0].partition(" ")[0].removesuffix("s") in error
    assert sluice.json_of_failure("audit", "verify")["whole"] is False


def test_without_the_master_key_the_seals_are_not_opened_and_that_is_said(sluice: Sluice) -> None:
    sluice.create()
    key = sluice.home / "keys" / "master.json"
    hidden = key.rename(key.with_name("elsewhere"))
    result = sluice.run("audit", "verify")
    assert result.returncode == 0, result.stderr
    assert "1 seal was not opened" in result.stderr
    assert not key.exists(), "a check makes no key"
    assert sluice.json("audit", "verify")["seals"] == {"opened": 0, "notOpened": 1}
    edit(sluice, "UPDATE connections SET sealed = CAST(sealed || x'00' AS BLOB)")
    assert "somebody edited it" in sluice("audit", "verify", status=1)
    hidden.rename(key)
    assert "cannot be opened" in sluice("audit", "verify", status=1)


def test_a_rotated_key_and_an_update_leave_the_log_whole(sluice: Sluice) -> None:
    sluice.create()
    sluice("connection", "update", "web", "--set", "RemoteShell=plain", "--name", "other")
    sluice("key", "rotate")
    assert sluice.json("audit", "verify")["seals"] == {"opened": 1, "notOpened": 0}


def test_a_restored_backup_is_used_only_once_somebody_accepts_it(sluice: Sluice) -> None:
    sluice.create("web")
    older = (sluice.home / "data" / "sluice.db").read_bytes()
    sluice.create("web2")
    (sluice.home / "data" / "sluice.db").write_bytes(older)
    refused = sluice("connection", "delete", "web", "--yes", status=1)
    assert "not the one that Sluice stored last" in refused
    assert "sluice audit accept-head" in refused
    assert "--yes" in sluice("audit", "accept-head", status=2)
    assert "accepted" in sluice("audit", "accept-head", "--yes")
    sluice("connection", "delete", "web", "--yes")
    assert "whole" in sluice("audit", "verify")
    assert "Accepted the database as it is" in sluice("audit", "list")


def test_a_step_that_permits_its_own_pipeline_is_refused(sluice: Sluice) -> None:
    sluice.create("prod")
    text = f"""
steps:
- checkout: none
- script: |
    echo "home is ${{SLUICE_HOME-not told}}"
    export SLUICE_HOME={sluice.home}
    {sys.executable} -m sluice connection permit prod --all-pipelines
"""
    (sluice.folder / "p.yml").write_text(text)
    result = sluice.run("run", "p.yml", "--non-interactive")
    assert "home is not told" in result.stdout
    assert "a step of a run may not decide" in result.stdout
    assert result.returncode == 1
    assert "Refused" in sluice("audit", "list")
    assert all("AuthorizedForProject" not in entry["actionId"] for entry in sluice.json("audit", "list"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("pipelines SET source = '/evil.yml'", "pipeline 1 is not as it was stored"),
        ("runs SET plan = replace(plan, 'hello', 'evil')", "run 1 is not as it was stored"),
        ("runs SET requested_by = 'mallory'", "run 1 is not as it was stored"),
        ("permissions SET authorized_by = 'mallory'", "was written or edited by hand"),
        ("connection_projects SET name = 'x', name_key = 'x'", "was edited by hand"),
    ],
)
def test_an_edit_of_what_is_vouched_for_is_told(sluice: Sluice, change: str, said: str) -> None:
    sluice.create("web", "--allow-all-pipelines")
    (sluice.folder / "p.yml").write_text("steps:\n- checkout: none\n- script: echo hello\n")
    sluice("run", "p.yml")
    assert "whole" in sluice("audit", "verify")
    edit(sluice, f"UPDATE {change}")
    assert said in sluice("audit", "verify", status=1)


def test_entries_are_found_by_what_they_tell(sluice: Sluice) -> None:
    sluice.create("web", "--allow-all-pipelines")
    sluice.create("other")
    (sluice.folder / "azure-pipelines.yml").write_text("steps:\n- bash: echo\n")
    sluice("run", "--non-interactive", "--secret", "token=-", given="s3cr3t-of-the-run")

    def found(*filters: str) -> list[int]:
        return [entry["sequence"] for entry in sluice.json("audit", "list", *filters)]

    assert found() == [1, 2, 3, 4, 5]
    assert found("--action", "ServiceConnectionCreated") == [1, 3]
    assert found("--action", "library.serviceconnectioncreated", "--action", "RunSecretsOpened") == [1, 3, 5]
    assert found("--category", "create") == [1, 3, 4]
    assert found("--actor", "nobody") == []
    assert found("--connection", "web") == [1, 2]
    assert found("--run", "1") == [5]
    assert found("--run", "11") == []
    assert found("--since", "1h") == [1, 2, 3, 4, 5]
    assert found("--until", "2020-01-01T00:00") == []
    assert found("--project", "default", "--limit", "2") == [4, 5]
    assert found("--limit", "2", "--before", "4") == [2, 3]
    assert sluice("audit", "list", "--actor", "nobody").strip() == "no entry fits"
    assert "did you mean" in sluice("audit", "list", "--action", "Library.ServiceConnectionCreate", status=2)
    assert "is no time" in sluice("audit", "list", "--since", "yesterday", status=2)
    assert "--before 4" in sluice.run("audit", "list", "--limit", "2").stderr


def test_an_entry_tells_where_it_comes_from(sluice: Sluice) -> None:
    import os
    import socket

    sluice.environment["SSH_CONNECTION"] = "192.0.2.7 5022 192.0.2.1 22"
    sluice.real = True
    sluice.create()
    (entry,) = sluice.json("audit", "list")
    origin = entry["details"]["From"]
    assert (origin["host"], origin["address"]) == (socket.gethostname(), "192.0.2.7")
    assert origin["process"] not in {0, os.getpid()}
    assert entry["from"] == f"192.0.2.7:{origin['process']}"


@pytest.mark.parametrize("form", ["jsonl", "cloudevents"])
def test_an_export_verifies_without_the_database_and_goes_on_where_it_ended(
    sluice: Sluice, tmp_path: Path, form: str
) -> None:
    sluice.create()
    sluice.create("other")
    file = tmp_path / "audit.jsonl"
    file.write_text(sluice("audit", "export", "--format", form))
    head = sluice.json("audit", "verify")["head"]
    sluice("connection", "delete", "web", "--yes")
    more = sluice("audit", "export", "--format", form, "--after", "2", "--limit", "1")
    assert sluice("audit", "verify", "--file", "-", given=more).startswith("the file is whole: 1 entry behind 2:")
    (sluice.home / "data" / "sluice.db").unlink()
    whole = ("audit", "verify", "--file", str(file))
    assert sluice.json(*whole, "--head", head) == {
        "whole": True,
        "after": f"0:{'0' * 64}",
        "head": head,
        "breaches": [],
    }
    lines = file.read_text().splitlines(keepends=True)
    for edited, told in (
        ([lines[0].replace("web", "wob"), lines[1]], "entry 1: it was changed"),
        ([lines[0].replace('"text":"Created', '"text":"Forged'), lines[1]], "entry 1: its line says something else"),
        ([lines[0], lines[1].replace('"text":', '"more":1,"text":')], "entry 2: its line says something else"),
        ([lines[1], lines[0]], "entries are missing"),
        ([lines[0], more], "entries are missing"),
    ):
        file.write_text("".join(edited))
        assert told in sluice(*whole, status=1)
    file.write_text(lines[0])
    assert "cut off the end" in sluice(*whole, "--head", head, status=1)
    for text, told in (
        ("", "holds no entry"),
        ("{}", "line 1 is no entry"),
        ("[" * 9999, "line 1 is no entry"),
        (lines[0].replace('"text":', '"text":"x","text":'), "line 1 is no entry"),
    ):
        file.write_text(text)
        assert told in sluice(*whole, status=2)
    key = sluice.home / "keys" / "audit-key"
    key.rename(tmp_path / "key")
    file.write_text("".join(lines))
    assert "the key of the audit log is missing" in sluice(*whole, status=1)
    assert "is whole" in sluice(*whole, "--key", str(tmp_path / "key"))


def test_a_cloud_event_has_the_attributes_of_the_specification(sluice: Sluice) -> None:
    sluice.create()
    (line,) = sluice("audit", "export", "--format", "cloudevents").splitlines()
    event = json.loads(line)
    assert {name: event[name] for name in ("specversion", "id", "source", "type", "datacontenttype")} == {
        "specversion": "1.0",
        "id": "1",
        "source": "/sluice/audit",
        "type": "sluice.Library.ServiceConnectionCreated",
        "datacontenttype": "application/json",
    }
    assert datetime.fromisoformat(event["time"]).timestamp() == pytest.approx(event["data"]["at"], abs=1e-5)
    assert all(name.isalnum() and name.islower() for name in event)


def test_what_can_be_recorded_is_listed(sluice: Sluice) -> None:
    listed = {one["actionId"]: one for one in sluice.json("audit", "actions")}
    assert listed["Library.ServiceConnectionCreated"]["category"] == "Create"
    assert "Sluice.CommandRefused" in sluice("audit", "actions")
