"""Vault references against a contract double; a real OpenBao is in `tests/real/secrets`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.doubles.vault import Vault

from sluice.plugin import Connection, Reading, Secret, SluiceError
from sluice_secrets import Vault as Source

SOURCE = Source()


def read(*references: str) -> Reading:
    return SOURCE.read(references, None)


def texts(reading: Reading) -> dict[str, str]:
    return {name: secret.reveal() for name, secret in reading.secrets.items()}


def refusal(vault: Vault, *references: str) -> str:
    with pytest.raises(SluiceError) as raised:
        read(*references)
    assert vault.token not in str(raised.value)
    return str(raised.value)


def test_a_field_of_the_newest_version_is_read_or_of_the_one_that_is_named(vault: Vault) -> None:
    vault.versions["team/depot"] = [{"password": "first", "user": "ada"}, {"password": "second", "user": "ada"}]
    reading = read("secret/team/depot#password", "secret/team/depot?version=1#password", "secret/team/depot#user")
    assert texts(reading) == {
        "secret/team/depot#password": "second",
        "secret/team/depot?version=1#password": "first",
        "secret/team/depot#user": "ada",
    }
    assert reading.leases == ()
    paths = [call.path for call in vault.calls if "/data/" in call.path]
    assert paths == ["/v1/secret/data/team/depot"] * 2


def test_the_engine_without_versions_is_read_too(vault: Vault) -> None:
    vault.old["depot"] = {"token": "t-0815", "number": 42, "list": ["a"]}
    found = texts(read("old/depot#token", "old/depot#number", "old/depot#list"))
    assert list(found.values()) == ["t-0815", "42", '["a"]']
    assert read("old/depot#token").leases == ()
    assert "has no versions" in refusal(vault, "old/depot?version=1#token")


def test_the_only_field_needs_no_name(vault: Vault) -> None:
    vault.versions["one"] = [{"value": "single"}]
    assert texts(read("secret/one")) == {"secret/one": "single"}
    vault.versions["two"] = [{"a": "1", "b": "2"}]
    assert "name one after #: a, b" in refusal(vault, "secret/two")
    assert "has no field 'c' (it has: a, b)" in refusal(vault, "secret/two#c")


def test_fields_of_one_dynamic_secret_share_its_lease(vault: Vault) -> None:
    reading = read("database/creds/app#username", "database/creds/app#password")
    ((lease, made),) = vault.leases.items()
    assert list(texts(reading).values()) == [made["username"], made["password"]]
    assert [(one.id, one.seconds) for one in reading.leases] == [(lease, 3600.0)]
    SOURCE.revoke(lease)
    assert (vault.revoked, vault.leases) == ([lease], {})
    SOURCE.revoke(lease)  # once more is no error


def test_what_was_leased_before_a_failure_is_given_back(vault: Vault) -> None:
    assert "no secret 'secret/none'" in refusal(vault, "database/creds/app#password", "secret/none#x")
    assert (len(vault.revoked), vault.leases) == (1, {})
    assert "has no field" in refusal(vault, "database/creds/app#nothing")
    assert (len(vault.revoked), vault.leases) == (2, {})


def test_reasons_are_told_apart(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    vault.versions["gone"] = [{"a": "1"}, None]
    assert "was deleted" in refusal(vault, "secret/gone#a")
    vault.broken_path = "database/creds/app"
    assert "internal error" in refusal(vault, "database/creds/app#password")
    vault.allowed = ("secret/mine",)
    assert "no policy of it allows that" in refusal(vault, "secret/gone#a")
    vault.sealed = True
    assert "it is sealed" in refusal(vault, "secret/gone#a")
    monkeypatch.setenv("SLUICE_VAULT_ADDR", "http://127.0.0.1:1")
    assert "refused the connection" in refusal(vault, "secret/gone#a")
    with pytest.raises(SluiceError, match="refused the connection"):
        SOURCE.revoke("database/creds/app/x")
    monkeypatch.delenv("SLUICE_VAULT_ADDR")
    assert "no address of a vault" in refusal(vault, "secret/gone#a")


def test_a_lease_that_may_not_be_revoked_is_told(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_VAULT_TOKEN", "wrong-token")
    with pytest.raises(SluiceError, match="does not revoke the lease") as raised:
        SOURCE.revoke("database/creds/app/x")
    assert "wrong-token" not in str(raised.value)


def test_the_token_is_looked_for_where_the_vault_command_has_it(
    vault: Vault, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    vault.versions["one"] = [{"value": "single"}]
    monkeypatch.delenv("SLUICE_VAULT_TOKEN")
    assert "there is no token" in refusal(vault, "secret/one")
    (tmp_path / ".vault-token").write_text(f"{vault.token}\n")
    assert read("secret/one").secrets
    (tmp_path / ".vault-token").write_text("old")
    assert "the token is not valid" in refusal(vault, "secret/one")
    monkeypatch.setenv("VAULT_TOKEN", vault.token)
    assert read("secret/one").secrets
    (tmp_path / "token").write_text(vault.token)
    monkeypatch.setenv("VAULT_TOKEN", "old")
    monkeypatch.setenv("SLUICE_VAULT_TOKEN_FILE", str(tmp_path / "token"))
    assert read("secret/one").secrets


def test_an_approle_logs_in(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    vault.versions["one"] = [{"value": "single"}]
    monkeypatch.delenv("SLUICE_VAULT_TOKEN")
    monkeypatch.setenv("SLUICE_VAULT_ROLE_ID", vault.role)
    monkeypatch.setenv("SLUICE_VAULT_SECRET_ID", vault.secret_id)
    assert read("secret/one").secrets
    monkeypatch.setenv("SLUICE_VAULT_SECRET_ID", "wrong-secret-id")
    said = refusal(vault, "secret/one")
    assert "refuses the AppRole: invalid role or secret ID" in said
    assert "wrong-secret-id" not in said


def test_a_namespace_is_said(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    vault.versions["one"] = [{"value": "single"}]
    vault.namespace = "team"
    assert "the token is not valid" in refusal(vault, "secret/one")
    monkeypatch.setenv("VAULT_NAMESPACE", "team")
    assert read("secret/one").secrets


@pytest.mark.parametrize(
    "references",
    [["secret#x"], ["#x"], ["secret/../sys/raw#x"], ["secret//x#y"], ["secret/x?version=a#y"], ["secret/x?a=1#y"]],
)
def test_what_is_no_vault_reference_is_refused(vault: Vault, references: Sequence[str]) -> None:
    assert "a vault reference is vault:MOUNT/PATH#FIELD" in refusal(vault, *references)
    with pytest.raises(SluiceError, match="vault:MOUNT/PATH#FIELD"):
        SOURCE.check(references[0])
    assert vault.calls == []


def test_no_connection_is_read_through(vault: Vault) -> None:
    azure = Connection(id="1", name="azure", type="azurerm", parameters={"k": Secret("x")})
    with pytest.raises(SluiceError, match="reads through no connection"):
        SOURCE.read(["secret/one"], azure)
