"""HashiCorp Vault, as strict about what it is sent as the real one: KV version 1 and 2, a dynamic engine, AppRole."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any

from tests.doubles.web import Call, Double, Reply

READ = "read"


class Vault(Double):
    """Mounts: `secret/` (KV 2), `old/` (KV 1), `database/` (makes a user for each reading, with a lease).

    `allowed` are the paths that `token` may read, by their beginnings; the root is all of them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.token = f"hvs.{secrets.token_urlsafe(18)}"
        self.allowed: tuple[str, ...] = ("",)
        self.versions: dict[str, list[dict[str, Any] | None]] = {}
        self.old: dict[str, dict[str, Any]] = {}
        self.leases: dict[str, dict[str, str]] = {}
        self.revoked: list[str] = []
        self.sealed = False
        self.broken_path = ""
        self.role, self.secret_id = "role-1", f"secret-id-{secrets.token_hex(8)}"
        self.namespace = ""

    def answer(self, call: Call) -> Reply:
        path = call.path.removeprefix("/v1/")
        self.expect(call.path.startswith("/v1/"), f"{call.path} is no path of the API")
        self.expect(call.headers.get("x-vault-request") == "true", "the header against forged requests is missing")
        if self.sealed:
            return Reply(503, {"errors": ["Vault is sealed"]})
        if path == "auth/approle/login":
            return self._login(call)
        if (
            call.headers.get("x-vault-token") != self.token
            or call.headers.get("x-vault-namespace", "") != self.namespace
        ):
            return _errors(403, "permission denied", "invalid token")
        if path == "sys/leases/revoke":
            return self._revoke(call)
        self.expect(call.method == "GET", "looking changes nothing")
        if path.startswith("sys/internal/ui/mounts/"):
            return self._mount(path.removeprefix("sys/internal/ui/mounts/"))
        return self._read(path, call.query)

    def _login(self, call: Call) -> Reply:
        given = json.loads(call.body)
        if given != {"role_id": self.role, "secret_id": self.secret_id}:
            return _errors(400, "invalid role or secret ID")
        return Reply(200, {"auth": {"client_token": self.token, "lease_duration": 3600}})

    def _revoke(self, call: Call) -> Reply:
        self.expect(call.method in {"PUT", "POST"}, "a lease is revoked by a write")
        lease = json.loads(call.body)["lease_id"]
        if self.leases.pop(lease, None) is None:
            return _errors(400, "invalid lease")
        self.revoked.append(lease)
        return Reply(204, content="")

    def _mount(self, path: str) -> Reply:
        mounts = {
            "secret/": ("kv", {"version": "2"}),
            "old/": ("kv", {"version": "1"}),
            "database/": ("database", None),
        }
        mount = next((one for one in mounts if f"{path}/".startswith(one)), "")
        if not mount or not path.startswith(self.allowed):
            return _errors(
                403,
                f'preflight capability check returned 403, please ensure client\'s policies grant access to path "{path}/"',
            )
        kind, options = mounts[mount]
        return Reply(200, {"data": {"path": mount, "type": kind, "options": options}})

    def _read(self, path: str, query: Mapping[str, str]) -> Reply:
        if path == self.broken_path:
            return _errors(500, "internal error")
        if path.startswith("secret/data/"):
            return self._version(path.removeprefix("secret/data/"), query.get("version", ""))
        if path.startswith("old/") and path.removeprefix("old/") in self.old:
            return Reply(200, {"data": self.old[path.removeprefix("old/")], "lease_id": "", "lease_duration": 2764800})
        if path == "database/creds/app":
            user = {"username": f"v-app-{secrets.token_hex(4)}", "password": f"made-{secrets.token_urlsafe(12)}"}
            lease = f"{path}/{secrets.token_urlsafe(18)}"
            self.leases[lease] = user
            return Reply(200, {"data": user, "lease_id": lease, "lease_duration": 3600, "renewable": True})
        return Reply(404, {"errors": []})

    def _version(self, name: str, version: str) -> Reply:
        stored = self.versions.get(name)
        number = int(version or len(stored or ()))
        if not stored or not 0 < number <= len(stored):
            return Reply(404, {"errors": []})
        metadata = {"version": number, "deletion_time": "", "destroyed": False}
        if (content := stored[number - 1]) is None:
            return Reply(
                404, {"data": {"data": None, "metadata": {**metadata, "deletion_time": "2026-01-01T00:00:00Z"}}}
            )
        return Reply(200, {"data": {"data": content, "metadata": metadata}})


def _errors(status: int, *texts: str) -> Reply:
    return Reply(status, {"errors": list(texts)})
