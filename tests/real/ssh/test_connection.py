"""Connections to real OpenSSH servers."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from tests.conftest import Giver

from sluice.plugin import TrustNeededError, VerificationError
from sluice_ssh import verify

pytestmark = pytest.mark.real

PASSPHRASE = "correct horse battery"
MAKERS: dict[str, Callable[[], Any]] = {
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
    "nistp256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "nistp384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "nistp521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
}
FORMATS = {
    "openssh": serialization.PrivateFormat.OpenSSH,
    "pem": serialization.PrivateFormat.TraditionalOpenSSL,
    "pkcs8": serialization.PrivateFormat.PKCS8,
}


@pytest.fixture(scope="module")
def keys() -> dict[str, Any]:
    return {name: make() for name, make in MAKERS.items()}


@pytest.mark.parametrize("passphrase", ["", PASSPHRASE], ids=["plain", "encrypted"])
@pytest.mark.parametrize(
    ("kind", "form"),
    [(kind, form) for kind in MAKERS for form in FORMATS if (kind, form) != ("ed25519", "pem")],  # there is none
)
def test_every_kind_and_format_of_key_logs_in(
    sshd: Any, keys: Any, kind: str, form: str, passphrase: str, evidence: Giver
) -> None:
    key = keys[kind]
    encryption: Any = (
        serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption()
    )
    text = key.private_bytes(serialization.Encoding.PEM, FORMATS[form], encryption).decode()
    sshd.authorize(
        key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
    )
    answer = verify(sshd.connection(key=text, passphrase=passphrase))
    assert f"as {sshd.user} by publickey" in answer
    assert "OpenSSH" in answer
    evidence("ssh", "UsernamePassword", "verified right", "OpenSSH")


@pytest.mark.parametrize("kind", [("rsa", "-b", "2048"), ("ecdsa",), ("ed25519",)], ids=lambda kind: kind[0])
@pytest.mark.parametrize("form", ["RFC4716", "PEM", "PKCS8"])
def test_keys_that_ssh_keygen_wrote_log_in(
    sshd: Any, tmp_path: Path, require_program: Any, kind: tuple[str, ...], form: str
) -> None:
    program = require_program("ssh-keygen", "apt-get install openssh-client")
    file = tmp_path / "key"
    subprocess.run([program, "-q", "-t", *kind, "-m", form, "-N", PASSPHRASE, "-f", file], check=True)
    sshd.authorize(file.with_suffix(".pub").read_text().strip())
    pasted = file.read_text().replace("\n", "\r\n").rstrip()  # as a browser's text field hands it over
    assert "by publickey" in verify(sshd.connection(key=pasted, passphrase=PASSPHRASE))


def test_a_key_that_the_account_does_not_know_is_refused(sshd: Any, keys: Any, evidence: Giver) -> None:
    text = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with pytest.raises(VerificationError, match="refused the private key for the user") as raised:
        verify(sshd.connection(key=text.decode()))
    assert "PRIVATE KEY" not in str(raised.value)
    evidence("ssh", "UsernamePassword", "verified wrong", "OpenSSH")


def test_a_method_that_the_server_does_not_offer_is_named_with_those_it_offers(sshd: Any) -> None:
    connection = sshd.connection(passphrase="pw", data={"PrivateKey": ""})
    with pytest.raises(VerificationError, match=r"does not offer .* 'password': it offers: publickey"):
        verify(connection)


def test_an_unknown_host_key_needs_trust_and_is_never_added(sshd: Any, require_program: Any, tmp_path: Path) -> None:
    connection = sshd.connection(data={"HostKey": ""})
    with pytest.raises(TrustNeededError, match="sluice connection verify sshd") as raised:
        verify(connection)
    assert (raised.value.field, raised.value.value) == ("HostKey", sshd.host_key)
    public = tmp_path / "host.pub"
    public.write_text(f"{sshd.host_key}\n")
    keygen = require_program("ssh-keygen", "apt-get install openssh-client")
    shown = subprocess.run([keygen, "-lf", public], check=True, capture_output=True, text=True).stdout
    assert raised.value.fingerprint in shown
    with pytest.raises(TrustNeededError):
        verify(connection)


def test_a_changed_host_key_is_refused_before_anything_is_sent(start_sshd: Any) -> None:
    before, after = start_sshd(), start_sshd()
    connection = after.connection(data={"HostKey": before.host_key})
    with pytest.raises(VerificationError, match="is not the pinned one") as raised:
        verify(connection)
    assert str(raised.value).count("SHA256:") == 2


def test_one_of_several_pinned_keys_is_enough(start_sshd: Any) -> None:
    before, after = start_sshd(), start_sshd()
    pinned = f"# both\n{before.host_key}\n[127.0.0.1]:{after.port} {after.host_key} comment\n"
    assert "Logged in" in verify(after.connection(data={"HostKey": pinned}))


@pytest.mark.parametrize(
    "weak",
    [
        {"KexAlgorithms": "diffie-hellman-group14-sha1"},
        {"Ciphers": "aes128-cbc"},
        {"MACs": "hmac-sha1", "Ciphers": "aes128-ctr"},
    ],
    ids=["kex", "cipher", "mac"],
)
def test_weak_algorithms_are_not_negotiated(start_sshd: Any, weak: dict[str, str]) -> None:
    with pytest.raises(VerificationError, match="no safe algorithm in common"):
        verify(start_sshd(**weak).connection())


def test_a_signature_with_sha1_does_not_prove_a_host_key(start_sshd: Any, tmp_path: Path) -> None:
    file = tmp_path / "rsa_host_key"
    key = rsa.generate_private_key(65537, 2048)
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption())
    )
    file.chmod(0o600)
    with pytest.raises(VerificationError, match="no safe algorithm in common"):
        verify(start_sshd(HostKey=str(file), HostKeyAlgorithms="ssh-rsa").connection())


def test_a_chain_of_jump_hosts_is_followed(start_sshd: Any) -> None:
    outer, inner, target = start_sshd(), start_sshd(), start_sshd()
    jump = inner.connection("inner", jump=outer.connection("outer"))
    assert "through outer, then inner;" in verify(target.connection("target", jump=jump))


def test_a_jump_host_that_fails_is_named_with_its_place(start_sshd: Any) -> None:
    outer, inner, target = start_sshd(), start_sshd(), start_sshd()
    jump = inner.connection("inner", jump=outer.connection("outer"), data={"HostKey": outer.host_key})
    with pytest.raises(VerificationError, match=r"jump host 'inner' \(hop 2 of 2\).*is not the pinned one"):
        verify(target.connection("target", jump=jump))


def test_an_unpinned_jump_host_does_not_offer_its_key_for_the_target(start_sshd: Any) -> None:
    jump, target = start_sshd(), start_sshd()
    with pytest.raises(VerificationError, match="sluice connection verify outer"):
        verify(target.connection("target", jump=jump.connection("outer", data={"HostKey": ""})))


def test_a_jump_host_that_forbids_forwarding_is_told_apart(start_sshd: Any) -> None:
    jump, target = start_sshd(AllowTcpForwarding="no"), start_sshd()
    with pytest.raises(VerificationError, match="jump host 'outer' does not forward to"):
        verify(target.connection("target", jump=jump.connection("outer")))


def test_a_target_that_the_jump_host_cannot_reach_is_told_apart(start_sshd: Any) -> None:
    jump = start_sshd()
    with pytest.raises(VerificationError, match=r"jump host 'outer' cannot reach 127\.0\.0\.1:1"):
        verify(jump.connection("target", jump=jump.connection("outer"), data={"Port": "1"}))
