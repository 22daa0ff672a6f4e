"""Servers of packages that look at who asks: a NuGet feed, a Maven repository, a sparse registry of Cargo."""

from __future__ import annotations

import base64
import email
import email.message
import hashlib
import json
from typing import Any

from tests.doubles.processes import command_lines
from tests.doubles.web import Call, Double, Reply

USER = "builder"


def basic_of(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")


class Guarded(Double):
    """Opens to one value of `Authorization`; `forbidden` ones are known and may nothing."""

    def __init__(self, accepted: str, forbidden: str = "", *, open_to_all: bool = False) -> None:
        super().__init__()
        self.accepted = accepted
        self.forbidden = forbidden
        self.open_to_all = open_to_all
        self.headers: dict[str, str] = {}
        self.secrets: tuple[str, ...] = ()
        """Looked for in the arguments of all processes, whenever somebody asks."""

    def answer(self, call: Call) -> Reply:
        if self.secrets:
            lines = command_lines()
            seen = [secret for secret in self.secrets if secret.encode() in lines]
            self.expect(not seen, "a secret is in the arguments of a process")
        given = call.headers.get("authorization", "")
        if given == self.accepted or (self.open_to_all and not given):
            return self.serve(call)
        if self.forbidden and given == self.forbidden:
            return Reply(403, {"error": "forbidden"}, self.headers)
        return Reply(401, {"error": "unauthorized"}, {"WWW-Authenticate": 'Basic realm="packages"', **self.headers})

    def serve(self, call: Call) -> Reply:
        raise NotImplementedError


class Pages(Guarded):
    """Answers some paths with what they are given."""

    def __init__(
        self, accepted: str, pages: dict[str, Reply], forbidden: str = "", *, open_to_all: bool = False
    ) -> None:
        super().__init__(accepted, forbidden, open_to_all=open_to_all)
        self.pages = pages

    def serve(self, call: Call) -> Reply:
        return self.pages.get(call.path, Reply(404, {"error": "not found"}))


class MavenRepository(Guarded):
    """Takes and gives files below `/maven/`; its root shows nothing."""

    def __init__(self, accepted: str) -> None:
        super().__init__(accepted)
        self.files: dict[str, bytes] = {}

    def serve(self, call: Call) -> Reply:
        if call.method == "PUT":
            self.expect(call.path.startswith("/maven/"), f"a file is put at {call.path}")
            self.files[call.path] = call.body
            return Reply(201, b"")
        if call.path in self.files:
            return Reply(200, self.files[call.path], content="application/octet-stream")
        return Reply(404, b"")


class CargoRegistry(Guarded):
    """A sparse index at `/index/` that requires authentication, with downloads and publications."""

    def __init__(self, accepted: str) -> None:
        super().__init__(accepted)
        self.crates: dict[str, list[dict[str, Any]]] = {}
        self.contents: dict[str, bytes] = {}

    def serve(self, call: Call) -> Reply:
        if call.path == "/index/config.json":
            config = {"dl": f"{self.url}/dl/{{crate}}/{{version}}", "api": self.url, "auth-required": True}
            return Reply(200, config)
        if call.method == "PUT" and call.path == "/api/v1/crates/new":
            return self._publish(call.body)
        if call.path.startswith("/index/"):
            known = self.crates.get(call.path.rpartition("/")[2], [])
            lines = "".join(f"{json.dumps(one)}\n" for one in known)
            return Reply(200, lines.encode(), content="text/plain") if known else Reply(404, b"")
        if call.path in self.contents:
            return Reply(200, self.contents[call.path], content="application/x-tar")
        return Reply(404, b"")

    def _publish(self, body: bytes) -> Reply:
        """The body of a publication: length and JSON of the manifest, length and content of the crate."""
        size = int.from_bytes(body[:4], "little")
        manifest = json.loads(body[4 : 4 + size])
        rest = body[4 + size :]
        crate = rest[4 : 4 + int.from_bytes(rest[:4], "little")]
        self.expect(len(crate) == len(rest) - 4, "the crate is not as long as it says")
        name, version = manifest["name"], manifest["vers"]
        self.crates.setdefault(name, []).append(
            {
                "name": name,
                "vers": version,
                "deps": [],
                "cksum": hashlib.sha256(crate).hexdigest(),
                "features": {},
                "yanked": False,
            }
        )
        self.contents[f"/dl/{name}/{version}"] = crate
        return Reply(200, {"warnings": {"invalid_categories": [], "invalid_badges": [], "other": []}})


class NuGetFeed(Double):
    """A feed that packages are pushed to: its service index, and `PUT` of a form with one package.

    Whoever pushes is known by `accepted` (a value of `Authorization`), or by the API key `key`.
    """

    def __init__(self, accepted: str = "", key: str = "") -> None:
        super().__init__()
        self.accepted = accepted
        self.key = key
        self.packages: dict[str, bytes] = {}
        self.elsewhere = ""
        self.secrets: tuple[str, ...] = ()

    def answer(self, call: Call) -> Reply:
        lines = command_lines() if self.secrets else b""
        self.expect(not any(one.encode() in lines for one in self.secrets), "a secret is in the arguments of a process")
        if self.accepted and call.headers.get("authorization", "") != self.accepted:
            return Reply(401, {"error": "unauthorized"}, {"WWW-Authenticate": "Basic"})
        if call.method == "GET" and call.path == "/v3/index.json":
            place = self.elsewhere or f"{self.url}/api/v2/package"
            resources = [{"@id": f"{self.url}/q", "@type": "SearchQueryService"}]
            return Reply(
                200, {"version": "3.0.0", "resources": [*resources, {"@id": place, "@type": "PackagePublish/2.0.0"}]}
            )
        if call.method == "PUT" and call.path == "/api/v2/package":
            return self._push(call)
        return Reply(404, b"")

    def _push(self, call: Call) -> Reply:
        shown = call.headers.get("x-nuget-apikey", "")
        self.expect(bool(shown), "no API key at all is refused")
        if self.key and shown != self.key:
            return Reply(403, b"")
        message = email.message_from_bytes(
            b"Content-Type: " + call.headers["content-type"].encode() + b"\r\n\r\n" + call.body
        )
        parts = message.get_payload()
        self.expect(isinstance(parts, list) and len(parts) == 1, "the form has not one file")
        assert isinstance(parts, list)
        part = parts[0]
        assert isinstance(part, email.message.Message)
        self.expect(part.get_filename() == "package.nupkg", f"the file is called {part.get_filename()}")
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        name = hashlib.sha256(content).hexdigest()
        if name in self.packages:
            return Reply(409, b"")
        self.packages[name] = content
        return Reply(201, b"")
