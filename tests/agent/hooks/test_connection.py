"""An opened connection as plugins receive it."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from sluice.hooks.connection import Connection
from sluice.secret import Secret

FAR = Connection(id="2", name="far", type="ssh", data={"PrivateKey": Secret("far-key")})
NEAR = Connection(
    id="1",
    name="near",
    type="ssh",
    parameters={"username": "u", "password": Secret("hunter2"), "empty": Secret("")},
    data={"Host": "h", "USERNAME": "data"},
    linked={"JumpHost": FAR},
)


def test_values_are_found_ignoring_case_parameters_first() -> None:
    assert NEAR.text("UserName") == "u"
    assert NEAR.text("host") == "h"
    assert NEAR.text("port", "22") == "22"
    assert NEAR.value("nothing") is None


def test_a_secret_value_is_asked_for_as_such() -> None:
    assert NEAR.secret("PASSWORD") == Secret("hunter2")
    assert NEAR.secret("empty") is None
    assert NEAR.secret("nothing") is None
    with pytest.raises(TypeError, match="ask with secret"):
        NEAR.text("password")


def test_the_mask_gets_every_secret_those_of_linked_connections_too() -> None:
    assert [secret.reveal() for secret in NEAR.secrets()] == ["hunter2", "far-key"]


def test_no_way_of_printing_a_connection_shows_a_secret() -> None:
    for text in (repr(NEAR), str(NEAR), f"{NEAR}", f"{NEAR.value('password')}"):
        assert "hunter2" not in text
    with pytest.raises(TypeError):
        json.dumps(NEAR.parameters)
    with pytest.raises(TypeError):
        pickle.dumps(NEAR)
    with pytest.raises(TypeError):
        copy.deepcopy(NEAR)
