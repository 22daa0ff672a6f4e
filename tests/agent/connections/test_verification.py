"""Verification of a connection."""

from __future__ import annotations

import pytest

from sluice.connections.connection import ConnectionRecord, Draft
from sluice.connections.store import ConnectionStore
from sluice.connections.verification import verify
from sluice.errors import SluiceError, TrustNeededError, VerificationError
from sluice.hooks.connection import Connection
from sluice.secret import Secret


@pytest.fixture
def record(store: ConnectionStore) -> ConnectionRecord:
    draft = Draft(
        name="one",
        type="depot",
        scheme="Token",
        url="https://one.example",
        secrets={"apitoken": Secret("token-1234")},
    )
    return store.create("default", draft, by="ann").record


def test_the_plugin_gets_the_opened_connection_and_its_sentence_comes_back(
    store: ConnectionStore, record: ConnectionRecord
) -> None:
    def check(connection: Connection) -> str:
        assert connection.secret("apitoken") == Secret("token-1234")
        return "logged in as depot"

    assert verify(store, record, by="ann", verifiers={"depot": check}) == "logged in as depot"
    (use,) = store.history(record)
    assert (use.task, use.result, use.run_id) == ("verify", "Succeeded", 0)


@pytest.mark.parametrize(
    "error",
    [
        VerificationError("refused"),
        SluiceError("odd"),
        TrustNeededError("unknown", field="Serial", value="v", fingerprint="f"),
    ],
)
def test_what_goes_wrong_is_told_and_in_the_history(
    store: ConnectionStore, record: ConnectionRecord, error: SluiceError
) -> None:
    def check(connection: Connection) -> str:
        raise error

    with pytest.raises((VerificationError, TrustNeededError)):
        verify(store, record, by="ann", verifiers={"depot": check})
    assert [use.result for use in store.history(record)] == ["Failed"]


def test_a_bug_of_a_plugin_keeps_its_traceback_and_is_in_the_history(
    store: ConnectionStore, record: ConnectionRecord
) -> None:
    def check(connection: Connection) -> str:
        return str(1 // 0)

    with pytest.raises(ZeroDivisionError):
        verify(store, record, by="ann", verifiers={"depot": check})
    assert [use.result for use in store.history(record)] == ["Failed"]


def test_a_type_without_verification_opens_nothing(store: ConnectionStore, record: ConnectionRecord) -> None:
    with pytest.raises(VerificationError, match="has no verification"):
        verify(store, record, by="ann", verifiers={})
    assert store.history(record) == ()
