"""Messages for incoming webhooks: their checksum, and their size."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.errors import UsageError
from sluice.runs.webhooks import MAX_BODY, MAX_DEPTH, MAX_VALUES, read_payload, signed

SECRET = "webhook-secret-0001"


def checksum(body: bytes, kind: str = "sha1", secret: str = SECRET) -> str:
    return f"{kind}={hmac.new(secret.encode(), body, kind).hexdigest()}"


@given(body=st.binary(max_size=200))
def test_the_checksum_of_the_raw_body_is_right(body: bytes) -> None:
    assert signed(SECRET, checksum(body), body)
    assert signed(SECRET, checksum(body, "sha256").upper().replace("SHA256", "sha256"), body)
    assert not signed(SECRET, checksum(body), body + b" ")
    assert not signed(SECRET, checksum(body, secret="another"), body)


@pytest.mark.parametrize(
    "shown",
    ["", "sha1=", "sha1", hmac.new(SECRET.encode(), b"{}", hashlib.sha1).hexdigest(), "md5=00", "sha1=\udcff", "=x"],
)
def test_what_is_no_checksum_is_none(shown: str) -> None:
    assert not signed(SECRET, shown, b"{}")


def test_a_payload_is_a_json_object() -> None:
    assert read_payload(b'{"a": [1, null]}') == {"a": [1, None]}
    for body in (b"", b"[]", b'"x"', b"{", b"\xff", b"[" * 100_000):
        with pytest.raises(UsageError, match="the message is no JSON object"):
            read_payload(body)


def test_a_payload_is_no_larger_than_a_pipeline_can_bear() -> None:
    with pytest.raises(UsageError, match="larger than 1 MB"):
        read_payload(b" " * (MAX_BODY + 1))
    with pytest.raises(UsageError, match="values or"):
        read_payload(json.dumps({"a": [0] * (MAX_VALUES + 1)}).encode())
    deep = b'{"a":' * MAX_DEPTH + b"1" + b"}" * MAX_DEPTH
    with pytest.raises(UsageError, match="levels"):
        read_payload(deep)
    assert read_payload(b'{"a":' * (MAX_DEPTH - 1) + b"1" + b"}" * (MAX_DEPTH - 1))
