"""`sluice key rotate`."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.agent.cli.conftest import Sluice


def test_rotating_replaces_the_key_file_and_everything_still_opens(sluice: Sluice) -> None:
    sluice.create()
    file = sluice.home / "keys" / "master.json"
    before = json.loads(file.read_text())
    answer = sluice.json("key", "rotate")
    after = json.loads(file.read_text())
    assert answer["count"] == 1
    assert answer["forgotten"] == [before["current"]]
    assert list(after["keys"]) == [answer["keyId"]]
    assert "1 records" in sluice("key", "rotate")
    sluice("connection", "update", "web", "--set", "RemoteShell=plain")  # it opens the secrets to keep them


def test_a_key_file_with_open_permissions_is_one_clear_error(sluice: Sluice) -> None:
    sluice.create()
    file = sluice.home / "keys" / "master.json"
    file.chmod(0o644)
    for arguments in (("key", "rotate"), ("connection", "update", "web", "--set", "RemoteShell=plain")):
        error = sluice(*arguments, status=1)
        assert f"chmod 600 {file}" in error
        assert len(error.splitlines()) == 1
    file.chmod(0o600)
    sluice("key", "rotate")


def test_a_key_of_the_environment_is_rotated_with_the_previous_one_beside_it(sluice: Sluice) -> None:
    keys = [base64.b64encode(letter * 32).decode() for letter in (b"a", b"b")]
    sluice.environment["SLUICE_MASTER_KEY"] = keys[0]
    sluice.create()
    assert "SLUICE_MASTER_KEY_PREVIOUS" in sluice("key", "rotate", status=1)
    sluice.environment |= {"SLUICE_MASTER_KEY": keys[1], "SLUICE_MASTER_KEY_PREVIOUS": keys[0]}
    assert sluice.json("key", "rotate")["count"] == 1
    del sluice.environment["SLUICE_MASTER_KEY_PREVIOUS"]
    sluice("connection", "update", "web", "--set", "RemoteShell=plain")
    assert not (sluice.home / "keys" / "master.json").exists()
    assert not any(key in sluice.printed for key in keys)


def test_the_wrong_key_opens_nothing(sluice: Sluice) -> None:
    sluice.create()
    sluice.environment["SLUICE_MASTER_KEY"] = base64.b64encode(b"x" * 32).decode()
    assert "another master key" in sluice("connection", "verify", "web", status=1)
    sluice.environment["SLUICE_KEY_PROVIDER"] = "nosuch"
    assert "known: environment, file" in sluice("key", "rotate", status=1).replace("one of:", "known:")


def test_a_key_file_that_went_missing_is_not_replaced_by_a_run_that_needs_no_secret(sluice: Sluice) -> None:
    (sluice.folder / "p.yml").write_text("steps:\n- checkout: none\n- script: echo hello\n")
    sluice.create()
    file = sluice.home / "keys" / "master.json"
    kept = file.read_bytes()
    file.unlink()
    for arguments in (("run", "p.yml"), ("key", "rotate"), ("connection", "update", "web", "--set", "Host=x")):
        assert "key file is missing" in sluice(*arguments, status=1)
        assert not file.exists()
    file.write_bytes(kept)
    file.chmod(0o600)
    sluice("run", "p.yml")


def test_a_key_that_only_runs_have_used_is_missed_too_and_may_be_given_up(sluice: Sluice) -> None:
    (sluice.folder / "p.yml").write_text(
        "steps:\n- checkout: none\n- script: 'echo \"##vso[task.setvariable variable=t;issecret=true;isOutput=true]s3cret\"'\n"
        "  name: s\n"
    )
    sluice("run", "p.yml")
    file = sluice.home / "keys" / "master.json"
    file.unlink()
    error = sluice("run", "p.yml", status=1)
    assert "sluice key rotate --lost" in error
    sluice("key", "rotate", "--lost")
    sluice("run", "p.yml")
    assert "not lost" in sluice("key", "rotate", "--lost", status=2)
