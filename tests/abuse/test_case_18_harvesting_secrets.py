"""Abuse case 18: who may edit a connection, but not read its secret, leads it to a host of his own to harvest it."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest

from sluice.connections.catalogue import Catalogue
from sluice.connections.connection import Update
from sluice.errors import ConnectionInvalidError

if TYPE_CHECKING:
    from tests.abuse.conftest import Sluice
    from tests.agent.runs.conftest import Bench

PERMIT = ("connection", "permit", "web", "--pipeline", "azure-pipelines.yml")


@pytest.mark.parametrize(
    "change",
    [
        ("--set", "Host=evil.invalid"),
        ("--set", "Port=2222"),
        ("--set", "JumpHost=hop"),
    ],
)
def test_another_address_drops_secrets_and_permits(sluice: Sluice, change: tuple[str, str]) -> None:
    (sluice.folder / "azure-pipelines.yml").write_text("steps:\n- bash: echo\n")
    sluice.create("hop")
    sluice.create()
    sluice(*PERMIT)
    before = sluice.json("connection", "show", "web")
    if "JumpHost" in change[1] and "JumpHost" not in _address_fields("ssh"):
        pytest.skip("ssh connections go through no other")
    answer = sluice.json("connection", "update", "web", *change)
    after = sluice.json("connection", "show", "web")
    assert (answer["dropped"], answer["revoked"]) == (["password"], 1)
    assert (before["secrets"], after["secrets"]) == (["password"], [])
    assert (before["pipelines"] != [], after["pipelines"]) == (True, [])


def _address_fields(type_name: str) -> set[str]:
    kind = Catalogue.installed().get(type_name)
    return {field.key for field in kind.data if field.address or field.kind == "connection"}


def test_verify_sends_nothing_stored_to_the_new_host(sluice: Sluice) -> None:
    """A listener of the attacker's own takes every byte that comes: the secret is not among them."""
    taken = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)

        def listen() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.settimeout(10)
                peer.sendall(b"SSH-2.0-mine\r\n")
                while piece := peer.recv(4096):
                    taken.extend(piece)
                    peer.close()
                    break

        thread = threading.Thread(target=listen)
        thread.start()
        sluice.create()
        port = listener.getsockname()[1]
        sluice("connection", "update", "web", "--set", "Host=127.0.0.1", "--set", f"Port={port}")
        assert sluice.run("connection", "verify", "web").returncode != 0
        with socket.create_connection(("127.0.0.1", port)):  # verify may have refused before it called
            thread.join()
    assert b"hunter2" not in taken
    uses = [one for one in sluice.json("audit", "list") if one["actionId"].endswith("ServiceConnectionExecuted")]
    assert all("password" not in str(one["details"]) for one in uses)


def test_a_required_secret_is_asked_for_with_the_new_address(bench: Bench) -> None:
    record = bench.connection("depot", scheme="Token", permit="demo")
    with pytest.raises(ConnectionInvalidError, match="not sent to another address"):
        bench.store.update("default", "depot", Update(url="https://evil.invalid"), by="editor")
    assert bench.store.get("default", "depot") == record


def test_a_change_and_its_undoing_do_not_bring_the_secret_back(sluice: Sluice) -> None:
    sluice.create()
    sluice("connection", "update", "web", "--set", "Host=evil.invalid")
    sluice("connection", "update", "web", "--set", "Host=web.invalid")
    assert sluice.json("connection", "show", "web")["secrets"] == []


def test_who_only_uses_or_names_a_connection_does_not_lead_it_elsewhere(sluice: Sluice) -> None:
    sluice.create()
    sluice("user", "create", "mallory")
    mallory = type(sluice)(sluice.folder)
    mallory.environment["SLUICE_TOKEN"] = sluice("token", "create", "--user", "mallory", "--full-access").strip()
    elsewhere = ("connection", "update", "web", "--set", "Host=evil.invalid", "--secret", "password=env:ANY")
    mallory.environment["ANY"] = "guessed-password-0815"
    before = sluice.json("connection", "show", "web")
    assert "no service connection 'web'" in mallory(*elsewhere, status=2)
    assert "no service connection 'web'" in mallory("connection", "verify", "web", status=2)
    sluice("connection", "roles", "web", "--set", "mallory=Reader")
    assert "you may not use the service connection 'web'" in mallory("connection", "verify", "web", status=1)
    for role in ("Reader", "User", "Administrator"):
        sluice("connection", "roles", "web", "--set", f"mallory={role}")
        assert "you may not change the service connection 'web'" in mallory(*elsewhere, status=1)
        assert "Administrator of the organization level" in mallory(*elsewhere, status=1)
    assert sluice.json("connection", "show", "web") == before
    assert sluice.json("audit", "list", "--action", "Sluice.ActionRefused")[-1]["actor"] == "mallory"
