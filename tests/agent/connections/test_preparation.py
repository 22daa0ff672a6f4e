"""Connections are made ready for use by their type's plugin."""

from __future__ import annotations

from dataclasses import replace

from sluice.connections.preparation import prepare
from sluice.hooks.connection import Connection
from sluice.secret import Secret

STORED = Connection(id="1", name="a", type="Depot", scheme="App")


def test_the_plugin_of_the_type_changes_it() -> None:
    given = prepare(STORED, {"depot": lambda one: replace(one, parameters={"token": Secret("t")})})
    assert given.secret("token") == Secret("t")


def test_a_type_without_preparation_is_used_as_it_is_stored() -> None:
    assert prepare(STORED, {}) is STORED
    assert prepare(STORED) is STORED
