"""Chef Infra Server: signatures of version 1.3 checked with the client's public key, environments, nodes, search."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import re
from functools import cache
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from tests.doubles.web import Call, Double, Reply

CLOCK_SECONDS = 900
"""How far a request's time may be off."""


@cache  # making one takes long
def _key(name: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def client_key(name: str) -> str:
    """The key of a client, as Chef hands it out."""
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return _key(name).private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


class Chef(Double):
    """One organization, `example`, with one client, `deployer`."""

    def __init__(self) -> None:
        super().__init__()
        key = _key("deployer")
        self.private_key = client_key("deployer")
        self._keys = {"deployer": key.public_key()}
        self.prefix = "/organizations/example"
        self.late = 0.0  # seconds that this server's clock is ahead
        self.forbidden: set[str] = set()  # methods
        self.environments: dict[str, dict[str, Any]] = {}
        self.nodes: dict[str, dict[str, Any]] = {}  # environment and automatic attributes by name
        self.converge_after = 1  # questions for nodes until they have converged
        self.asked = 0

    def answer(self, call: Call) -> Reply:
        refusal = self._refusal(call)
        if refusal is not None:
            return refusal
        self.expect(call.headers.get("accept") == "application/json", "Accept is not JSON")
        self.expect(bool(call.headers.get("x-chef-version")), "the version of the client is missing")
        if not call.path.startswith(f"{self.prefix}/"):
            return Reply(404, {"error": ["organization 'other' does not exist."]})
        path = call.path.removeprefix(self.prefix)
        if call.method in self.forbidden:
            return Reply(403, {"error": ["missing update permission"]})
        if path == "/environments" and call.method == "GET":
            return Reply(200, {name: f"{self.url}{call.path}/{name}" for name in self.environments})
        if found := re.fullmatch(r"/environments/([\w-]+)(/nodes)?", path):
            return self._environment(call, found[1], nodes=bool(found[2]))
        if path == "/search/node" and call.method == "POST":
            return self._search(call)
        return Reply(404, {"error": ["no such thing"]})

    def _refusal(self, call: Call) -> Reply | None:
        wanted = ("x-ops-sign", "x-ops-userid", "x-ops-timestamp", "x-ops-content-hash", "x-ops-authorization-1")
        if missing := [name for name in wanted if name not in call.headers]:
            return Reply(400, {"error": [f"missing required authentication header(s) {missing}"]})
        sent = dt.datetime.fromisoformat(call.headers["x-ops-timestamp"])
        now = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=self.late)
        user = call.headers["x-ops-userid"]
        if abs((now - sent).total_seconds()) > CLOCK_SECONDS:
            text = f"Failed to authenticate as {user}. Synchronize the clock on your host."
            return Reply(401, {"error": [text]})
        digest = base64.b64encode(hashlib.sha256(call.body).digest()).decode()
        self.expect(call.headers["x-ops-sign"] == "algorithm=sha256;version=1.3", "not the version 1.3")
        self.expect(digest == call.headers["x-ops-content-hash"], "the hash is of another body")
        if not self._signed(call, user, digest):
            return Reply(
                401, {"error": [f"Failed to authenticate as '{user}'. Ensure that your node_name is correct."]}
            )
        return None

    def _signed(self, call: Call, user: str, digest: str) -> bool:
        lines = sorted(
            (int(name.rpartition("-")[2]), value)
            for name, value in call.headers.items()
            if name.startswith("x-ops-authorization-")
        )
        self.expect(all(len(line) <= 60 for _, line in lines), "a line of the signature is too long")
        text = (
            f"Method:{call.method}\nPath:{call.path}\nX-Ops-Content-Hash:{digest}\nX-Ops-Sign:version=1.3\n"
            f"X-Ops-Timestamp:{call.headers['x-ops-timestamp']}\nX-Ops-UserId:{user}\n"
            f"X-Ops-Server-API-Version:{call.headers.get('x-ops-server-api-version')}"
        )
        key = self._keys.get(user)
        if key is None:
            return False
        signature = base64.b64decode("".join(line for _, line in lines))
        try:
            key.verify(signature, text.encode(), padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return True

    def _environment(self, call: Call, name: str, *, nodes: bool) -> Reply:
        environment = self.environments.get(name)
        if environment is None:
            return Reply(404, {"error": [f"Cannot load environment {name}"]})
        if nodes and call.method == "GET":
            found = [node for node, one in self.nodes.items() if one["chef_environment"] == name]
            return Reply(200, {node: f"{self.url}{self.prefix}/nodes/{node}" for node in found})
        if call.method == "PUT" and not nodes:
            body = json.loads(call.body)
            self.expect(body.get("name") == name, "the environment is renamed")
            self.expect(body.get("json_class") == "Chef::Environment", "it is no environment")
            self.environments[name] = body
            return Reply(200, body)
        return Reply(200, environment) if call.method == "GET" else Reply(405, {"error": ["method"]})

    def _search(self, call: Call) -> Reply:
        environment = call.query["q"].removeprefix("chef_environment:")
        wanted = json.loads(call.body)
        self.expect(all(isinstance(path, list) for path in wanted.values()), "paths of a partial search are lists")
        self.asked += 1
        found = [(name, one) for name, one in self.nodes.items() if one["chef_environment"] == environment]
        if self.asked > self.converge_after:
            for _, one in found:
                if not one.get("stuck"):
                    one["ohai_time"] = dt.datetime.now(dt.UTC).timestamp() + self.late
        rows = [
            {"url": f"{self.url}{self.prefix}/nodes/{name}", "data": self._pick(name, one, wanted)}
            for name, one in found
        ]
        start, most = int(call.query.get("start", "0")), int(call.query.get("rows", "1000"))
        return Reply(200, {"total": len(rows), "start": start, "rows": rows[start : start + most]})

    def _pick(self, name: str, node: dict[str, Any], wanted: dict[str, list[str]]) -> dict[str, Any]:
        known = {"name": name, **node}
        return {key: known.get(path[-1]) for key, path in wanted.items()}
