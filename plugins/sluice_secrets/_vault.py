"""HashiCorp Vault and OpenBao: secrets of the KV engine (both versions), and dynamic ones with their leases.

The server and the token come from `SLUICE_VAULT_ADDR` and `SLUICE_VAULT_TOKEN` (or `_TOKEN_FILE`), which no step of a
pipeline is given, else from what the `vault` command uses: `VAULT_ADDR`, `VAULT_TOKEN`, `~/.vault-token`,
`VAULT_NAMESPACE`. `SLUICE_VAULT_ROLE_ID` with `SLUICE_VAULT_SECRET_ID` (or `_SECRET_ID_FILE`) log in by AppRole instead.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote

from sluice.plugin import Answer, Connection, Lease, Probe, Reading, Secret, SluiceError

BODY = 1 << 20
SECONDS = 20.0
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a reference names: a field of what lies at a path; '' for the only one there is."""

    path: str
    field: str
    version: str = ""


def parse(reference: str) -> Wanted:
    """Read `PATH#FIELD` or `PATH?version=3#FIELD`; raises `SluiceError`."""
    place, _, field = reference.partition("#")
    path, _, query = place.partition("?")
    path = path.strip().strip("/")
    asked = {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}
    version = asked.pop("version", "")
    wrong = asked or (version and not (version.isascii() and version.isdecimal()))
    if wrong or "/" not in path or any(part in {"", ".", ".."} for part in path.split("/")):
        raise SluiceError(
            "a vault reference is vault:MOUNT/PATH#FIELD",
            do="such as vault:secret/depot#password, vault:secret/depot?version=3#password, vault:database/creds/app#password",
        )
    return Wanted(path, field.strip(), version)


def read(references: Sequence[str], connection: Connection | None) -> Reading:
    """The secrets behind references, each path read once."""
    if connection is not None:
        raise SluiceError("'vault:' reads through no connection", do="leave out ?connection=NAME")
    wanted = {reference: parse(reference) for reference in references}
    server = Server.find()
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    leases: list[Lease] = []
    try:
        for place in dict.fromkeys((one.path, one.version) for one in wanted.values()):
            found[place], lease = server.read(*place)
            leases += [lease] if lease else []
        secrets = {name: _field(one, found[one.path, one.version]) for name, one in wanted.items()}
    except BaseException:
        for lease in leases:
            server.revoke(lease.id)
        raise
    return Reading(secrets=secrets, leases=tuple(leases))


def revoke(lease: str) -> None:
    """Revoke a lease; one that has ended is no error."""
    Server.find().revoke(lease)


class Server:
    """A server, and the token that opens it."""

    def __init__(self, address: str, token: Secret, namespace: str = "") -> None:
        self._address = address.rstrip("/")
        self._token = token
        self._namespace = namespace

    @staticmethod
    def find() -> Server:
        """The one that this process is set up for; raises `SluiceError` that says what to set."""
        address = _setting("ADDR")
        if not address:
            raise SluiceError(
                "no address of a vault is set",
                do="set SLUICE_VAULT_ADDR, or VAULT_ADDR, such as https://vault.example:8200",
            )
        namespace = _setting("NAMESPACE")
        role = os.environ.get("SLUICE_VAULT_ROLE_ID", "")
        if not role:
            return Server(address, _token(), namespace)
        stranger = Server(address, Secret(""), namespace)
        return Server(address, stranger.log_in(role, _from_file("SLUICE_VAULT_SECRET_ID")), namespace)

    def log_in(self, role: str, secret_id: Secret) -> Secret:
        """A token for an AppRole."""
        body = json.dumps({"role_id": role, "secret_id": secret_id.reveal()}).encode()
        answer = self._ask("auth/approle/login", method="POST", body=body)
        token = self._object(answer, "auth/approle/login").get("auth", {}).get("client_token")
        if not answer.ok or not token:
            raise self._refusal(answer, "the vault refuses the AppRole")
        return Secret(str(token))

    def read(self, path: str, version: str) -> tuple[Mapping[str, Any], Lease | None]:
        """What lies at a path, and its lease if it was made for this use."""
        mount = self._key_value_mount(path)
        if mount is None:
            if version:
                raise SluiceError(
                    f"'{path}' has no versions", where="vault", why="it is not of the engine KV version 2"
                )
            return self._plain(path)
        rest = path.removeprefix(mount)
        answer = self._ask(f"{mount}data/{rest}", f"?version={version}" if version else "")
        body = self._object(answer, path)
        data = body.get("data") or {}
        if answer.status == 404 and isinstance(data, dict) and data.get("metadata"):
            raise SluiceError(
                f"the vault's secret '{path}' was deleted", where="vault", do="write it again, or undelete it"
            )
        content = data.get("data") if isinstance(data, dict) else None
        return self._content(answer, path, content), None

    def revoke(self, lease: str) -> None:
        """Revoke a lease at once."""
        body = json.dumps({"lease_id": lease, "sync": True}).encode()
        answer = self._ask("sys/leases/revoke", method="PUT", body=body)
        if not answer.ok and not (answer.status == 400 and "invalid lease" in _errors(answer)):
            raise self._refusal(answer, "the vault does not revoke the lease")

    def _key_value_mount(self, path: str) -> str | None:
        """The path of the mount, if it is of the engine KV version 2; asked as the `vault` command does."""
        answer = self._ask(f"sys/internal/ui/mounts/{path}")
        if answer.status == 404:  # a server too old to tell
            return None
        if not answer.ok:
            raise self._refusal(answer, f"the vault does not let '{path}' be read")
        about = self._object(answer, path).get("data") or {}
        versioned = about.get("type") == "kv" and str((about.get("options") or {}).get("version")) == "2"
        return f"{str(about.get('path', '')).strip('/')}/" if versioned else None

    def _plain(self, path: str) -> tuple[Mapping[str, Any], Lease | None]:
        answer = self._ask(path)
        body = self._object(answer, path)
        content = self._content(answer, path, body.get("data"))
        lease = str(body.get("lease_id") or "")
        return content, Lease(id=lease, seconds=float(body.get("lease_duration") or 0)) if lease else None

    def _content(self, answer: Answer, path: str, content: object) -> Mapping[str, Any]:
        if answer.status == 404:
            raise SluiceError(f"the vault has no secret '{path}'", where="vault", do=f"look with: vault read {path}")
        if not answer.ok:
            raise self._refusal(answer, f"the vault does not let '{path}' be read")
        if not isinstance(content, dict) or not content:
            raise SluiceError(f"the vault's secret '{path}' holds nothing", where="vault")
        return content

    def _ask(self, path: str, query: str = "", *, method: str = "GET", body: bytes = b"") -> Answer:
        headers = {"X-Vault-Request": "true", "Accept": "application/json"}
        if self._token:
            headers["X-Vault-Token"] = self._token.reveal()
        if self._namespace:
            headers["X-Vault-Namespace"] = self._namespace
        asked = Connection(id="", name="vault", type="vault", url=self._address)
        probe = Probe(connection=asked, headers=headers, seconds=SECONDS)
        url = f"{self._address}/v1/{quote(path, safe='/')}{query}"
        return probe.ask(url, method=method, body=body, limit=BODY)

    def _object(self, answer: Answer, path: str) -> Mapping[str, Any]:
        found = answer.json()
        if answer.ok and answer.status != 204 and not isinstance(found, dict):
            raise SluiceError(f"what answers for '{path}' is no vault", where="vault", why=f"{answer.origin}")
        return found if isinstance(found, dict) else {}

    def _refusal(self, answer: Answer, what: str) -> SluiceError:
        texts = {403: "the token is not valid, or no policy of it allows that", 503: "it is sealed, or not ready"}
        why = texts.get(answer.status) or _errors(answer) or answer.shown
        return SluiceError(what, where="vault", why=why)


def _field(wanted: Wanted, content: Mapping[str, Any]) -> Secret:
    names = ", ".join(sorted(content))
    if not wanted.field and len(content) != 1:
        raise SluiceError(
            f"the vault's secret '{wanted.path}' has several fields", where="vault", do=f"name one after #: {names}"
        )
    value = content.get(wanted.field) if wanted.field else next(iter(content.values()))
    if value is None or value == "":
        raise SluiceError(
            f"the vault's secret '{wanted.path}' has no field '{wanted.field}'", where="vault", do=f"it has: {names}"
        )
    return Secret(value if isinstance(value, str) else json.dumps(value))


def _setting(name: str) -> str:
    return (os.environ.get(f"SLUICE_VAULT_{name}") or os.environ.get(f"VAULT_{name}") or "").strip()


def _token() -> Secret:
    if found := _from_file("SLUICE_VAULT_TOKEN"):
        return found
    if text := os.environ.get("VAULT_TOKEN", ""):
        return Secret(text)
    try:
        return Secret((Path.home() / ".vault-token").read_text(encoding="utf-8").strip())
    except (OSError, UnicodeDecodeError, RuntimeError):
        raise SluiceError(
            "there is no token for the vault",
            do="set SLUICE_VAULT_TOKEN or SLUICE_VAULT_TOKEN_FILE, or run 'vault login'",
        ) from None


def _from_file(variable: str) -> Secret:
    """The value of a variable, or the text of the file that `<variable>_FILE` names; empty when neither is set."""
    if path := os.environ.get(f"{variable}_FILE", ""):
        try:
            return Secret(Path(path).read_text(encoding="utf-8").strip())
        except (OSError, UnicodeDecodeError) as error:
            raise SluiceError(f"the file that {variable}_FILE names cannot be read", why=type(error).__name__) from None
    return Secret(os.environ.get(variable, "").strip())


def _errors(answer: Answer) -> str:
    """What the server says is wrong, as one printable line."""
    found = answer.json()
    texts = found.get("errors") if isinstance(found, dict) else None
    text = "; ".join(str(one) for one in texts) if isinstance(texts, list) else ""
    return "".join(one if one.isprintable() else " " for one in text)[:_SHOWN]
