from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.plugin import Connection, TrustNeededError, VerificationError
from sluice_ssh._hostkey import ALGORITHMS, HostKey, check_host_key, pinned_keys, preferred_algorithms


def blob(kind: str, rest: bytes = b"key") -> bytes:
    return len(kind).to_bytes(4, "big") + kind.encode() + rest


ED25519 = HostKey("ssh-ed25519", blob("ssh-ed25519"))
RSA = HostKey("ssh-rsa", blob("ssh-rsa"))


def connection(text: str) -> Connection:
    return Connection(id="1", name="prod", type="ssh", data={"HostKey": text})


def test_lines_of_public_key_files_and_of_known_hosts_are_understood() -> None:
    text = f"# ours\n{ED25519.line} root@prod\n\n[prod]:2222 {RSA.line}\n"
    assert pinned_keys(connection(text)) == (ED25519, RSA)


@pytest.mark.parametrize(
    "line",
    [
        "ssh-dss AAAA",
        "ssh-ed25519",
        "ssh-ed25519 !!!",
        f"ssh-ed25519 {base64.b64encode(blob('ssh-rsa')).decode()}",
        "SHA256:abcdef",
    ],
)
def test_a_line_that_is_no_public_key_is_refused(line: str) -> None:
    with pytest.raises(VerificationError, match="is not a public key"):
        pinned_keys(connection(line))


@given(st.text(max_size=200))
def test_any_text_is_keys_or_a_clear_error(text: str) -> None:
    try:
        pinned = pinned_keys(connection(text))
    except VerificationError:
        return
    assert all(key.type in ALGORITHMS for key in pinned)


@given(st.sampled_from(sorted(ALGORITHMS)), st.binary(max_size=80))
def test_a_key_survives_its_line(kind: str, rest: bytes) -> None:
    key = HostKey(kind, blob(kind, rest))
    assert pinned_keys(connection(key.line)) == (key,)


def test_the_host_is_asked_for_a_pinned_kind_of_key_first() -> None:
    assert preferred_algorithms(())[0] == "ssh-ed25519"
    assert preferred_algorithms((RSA,))[:2] == ("rsa-sha2-512", "rsa-sha2-256")
    assert "ssh-rsa" not in preferred_algorithms((RSA,))


def test_a_pinned_key_is_trusted_an_unknown_one_is_not_added_and_another_one_is_refused() -> None:
    check_host_key(connection(""), (RSA, ED25519), ED25519, "prod:22")
    with pytest.raises(TrustNeededError) as unknown:
        check_host_key(connection(""), (), ED25519, "prod:22")
    assert (unknown.value.field, unknown.value.value) == ("HostKey", ED25519.line)
    assert unknown.value.fingerprint == ED25519.fingerprint
    with pytest.raises(VerificationError) as changed:
        check_host_key(connection(""), (RSA,), ED25519, "prod:22")
    assert RSA.fingerprint in str(changed.value)
    assert ED25519.fingerprint in str(changed.value)
