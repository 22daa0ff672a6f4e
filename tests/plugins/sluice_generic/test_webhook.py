"""Incoming webhooks: their declaration, and whether messages could be checked."""

from __future__ import annotations

import pytest
from tests.conftest import Giver

from sluice.connections.connection import Key
from sluice.connections.validation import Entered, fit
from sluice.errors import ConnectionInvalidError
from sluice.plugin import Connection, VerificationError
from sluice.testing.connections import make_connection
from sluice_generic import INCOMING_WEBHOOK, verify_webhook

SECRET = "webhook-secret-0001"


def connection(**values: str) -> Connection:
    return make_connection(INCOMING_WEBHOOK, "hook", values={"webhookname": "nexus", **values})


def test_it_has_the_keys_of_azure_pipelines() -> None:
    (scheme,) = INCOMING_WEBHOOK.schemes
    assert (scheme.name, scheme.label) == ("None", "No Authentication")
    assert [(one.key, one.label, one.secret, one.required) for one in scheme.parameters] == [
        ("webhookname", "WebHook Name", False, True),
        ("secret", "Secret", True, False),
        ("header", "HTTP Header", False, False),
    ]
    made = fit(INCOMING_WEBHOOK, "None", "", Entered(values={("parameters", "webhookname"): "nexus"}))
    assert made.url == "https://dev.azure.com"


@pytest.mark.parametrize(("key", "value"), [("webhookname", "a/b"), ("webhookname", "a b"), ("header", "X Hub:")])
def test_names_fit_into_an_address_and_a_header(key: str, value: str) -> None:
    values: dict[Key, str] = {("parameters", "webhookname"): "nexus", ("parameters", key): value}
    with pytest.raises(ConnectionInvalidError):
        fit(INCOMING_WEBHOOK, "None", "", Entered(values=values))


def test_it_is_told_what_a_message_has_to_show(evidence: Giver) -> None:
    told = verify_webhook(connection(secret=SECRET, header="X-Hub-Signature"))
    assert "distributedtask/webhooks/nexus?api-version=6.0-preview starts pipelines, if the header" in told
    assert "anybody who posts to" in verify_webhook(connection())
    evidence("incomingwebhook", "None", "verified right", "nobody: nothing is asked")


def test_a_connection_that_would_accept_nothing_is_told(evidence: Giver) -> None:
    with pytest.raises(VerificationError, match="there is a secret, and no header") as raised:
        verify_webhook(connection(secret=SECRET))
    assert SECRET not in str(raised.value)
    with pytest.raises(VerificationError, match="there is a header for a checksum, and no secret"):
        verify_webhook(connection(header="X-Hub-Signature"))
    evidence("incomingwebhook", "None", "verified wrong", "nobody: nothing is asked")
