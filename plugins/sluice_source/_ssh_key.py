"""Git over SSH: the key of a connection, what its host has to show, and the try of it."""

from __future__ import annotations

import base64
import hashlib
import shlex
import socket
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from sluice.plugin import Connection, Secret, TrustNeededError, VerificationError, check_host
from sluice_source._words import printable

if TYPE_CHECKING:
    import paramiko

SECONDS = 20.0
PORT = 22
BEGIN = 64
KINDS = frozenset({"ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"})

SIGNATURES = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}
"""How a host proves a key, where that is not called as the key's type is."""


def account(connection: Connection) -> str:
    """The account at the host: the connection's, else the one in its address, else `git`."""
    return connection.text("username") or urlsplit(connection.url).username or "git"


def open_key(connection: Connection) -> Secret:
    """The private key without its passphrase; raises `VerificationError` when it cannot be read."""
    from cryptography.hazmat.primitives import serialization

    stored, phrase = connection.secret("privatekey"), connection.secret("passphrase")
    if not stored:
        raise VerificationError("the connection has no private key", where=connection.name)
    text = stored.reveal().strip().encode() + b"\n"
    password = phrase.reveal().encode() if phrase else None
    load = serialization.load_ssh_private_key if b"OPENSSH PRIVATE KEY" in text else serialization.load_pem_private_key
    try:
        key = load(text, password)
        opened = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
    except (ValueError, TypeError) as error:
        known = "passphrase" if "password" in str(error).casefold() or phrase else ""
        why = "its passphrase is missing or wrong" if known else "it is no key that SSH uses, or is cut off"
        raise VerificationError("the private key cannot be read", where=connection.name, why=why) from None
    return Secret(opened.decode())


def pinned(connection: Connection) -> tuple[str, ...]:
    """The public keys that the host may show; raises `VerificationError` for a line that is none."""
    found = []
    for line in connection.text("HostKey").splitlines():
        words = line.split()
        at = next((index for index, word in enumerate(words[:2]) if word in KINDS), None)
        if at is not None and at + 1 < len(words):
            found.append(f"{words[at]} {words[at + 1]}")
        elif words and not words[0].startswith("#"):
            raise VerificationError("a line of HostKey is no host key", where=connection.name, do="'type base64'")
    return tuple(found)


def verify(connection: Connection) -> str:
    """Log in with the key and ask for the repository, as `git ls-remote` does; tells the reasons apart."""
    import paramiko

    parts = urlsplit(connection.url)
    host, port = parts.hostname or "", parts.port or PORT
    place = f"ssh://{host}:{port}"
    try:
        key = paramiko_key(open_key(connection))
    except ValueError:
        raise VerificationError("the private key is of a kind that SSH does not use", where=connection.name) from None
    pins = pinned(connection)
    check_host(host, port, name=connection.name)
    with closing(_connect(connection, host, port, place)) as transport:
        try:
            if kinds := {
                one.partition(" ")[0] for one in pins
            }:  # a host with several keys is to show one that is known
                transport.get_security_options().key_types = [
                    each for one in kinds for each in SIGNATURES.get(one, (one,))
                ]
            transport.start_client(timeout=SECONDS)
            _check_host_key(connection, transport.get_remote_server_key(), pins, place)
            transport.auth_publickey(account(connection), key)
            return _ask(connection, transport, unquote(parts.path), place)
        except paramiko.AuthenticationException:
            what = f"{place} does not accept the key for the account '{account(connection)}'"
            raise VerificationError(what, where=connection.name) from None
        except (paramiko.SSHException, OSError, EOFError) as error:
            what = f"no SSH connection to {place} came about"
            raise VerificationError(what, where=connection.name, why=printable(error, most=200)) from None


def paramiko_key(opened: Secret) -> paramiko.PKey:
    """The key as paramiko has it."""
    import io

    import paramiko

    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            return kind.from_private_key(io.StringIO(opened.reveal()))
        except (paramiko.SSHException, ValueError, IndexError):
            continue
    raise ValueError("a key of another kind")


def _connect(connection: Connection, host: str, port: int, place: str) -> paramiko.Transport:
    import paramiko

    try:
        opened = socket.create_connection((host, port), SECONDS)
    except OSError as error:
        what = f"{place} cannot be reached"
        if isinstance(error, socket.gaierror):
            what = f"the host name of {place} was not resolved"
        elif isinstance(error, ConnectionRefusedError):
            what = f"{place} refused the connection"
        raise VerificationError(what, where=connection.name, why=error.strerror or "") from None
    return paramiko.Transport(opened)


def _check_host_key(connection: Connection, shown: paramiko.PKey, pins: tuple[str, ...], place: str) -> None:
    line = f"{shown.get_name()} {shown.get_base64()}"
    fingerprint = "SHA256:" + base64.b64encode(hashlib.sha256(shown.asbytes()).digest()).decode().rstrip("=")
    if line in pins:
        return
    if not pins:
        raise TrustNeededError(
            f"{connection.name}: the host {place} is not known yet: it shows the {shown.get_name()} key {fingerprint}",
            field="HostKey",
            value=line,
            fingerprint=fingerprint,
            do="compare the fingerprint with what the host's administrator says, then pin it with: "
            f"sluice connection verify {shlex.quote(connection.name)} --trust {fingerprint}",
        )
    raise VerificationError(
        f"the host key of {place} is not the pinned one",
        where=connection.name,
        why=f"the host shows {shown.get_name()} {fingerprint}; somebody may be listening in between: nothing was sent",
        do=f"only when the key was changed on purpose: sluice connection update {connection.name} --set HostKey='{line}'",
    )


def _ask(connection: Connection, transport: paramiko.Transport, path: str, place: str) -> str:
    channel = transport.open_session(timeout=SECONDS)
    channel.settimeout(SECONDS)
    channel.exec_command(f"git-upload-pack {shlex.quote(path)}")
    begin = channel.recv(BEGIN)
    if len(begin) >= 4 and all(one in b"0123456789abcdef" for one in begin[:4]):
        channel.close()
        return f"{place} showed the repository to {account(connection)}"
    told = printable(channel.recv_stderr(500).decode("utf-8", "replace").strip(), most=300)
    raise VerificationError(f"there is no git repository at {place}{path}", where=connection.name, why=told)
