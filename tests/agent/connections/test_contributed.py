"""Connection types of extensions: read from their contributions, offered, and tried against a server."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sluice.connections.contributed import FOLDER, Contributed, installed_types, read_type
from sluice.connections.probing import try_connection
from sluice.errors import StorageError, VerificationError
from sluice.hooks.connection import Connection
from sluice.secret import Secret
from sluice.storage.home import Home

PROPERTIES: Mapping[str, Any] = {
    "name": "Fabrikam",
    "displayName": "Fabrikam server",
    "url": {"displayName": "Server address", "helpText": "Where it is.", "required": "true"},
    "dataSources": [
        {"name": "Things", "endpointUrl": "{{endpoint.url}}things"},
        {
            "name": "TestConnection",
            "endpointUrl": "{{endpoint.url}}api/{{endpoint.Tenant}}",
            "headers": [{"name": "X-Kind", "value": "test"}],
        },
    ],
    "authenticationSchemes": [
        {
            "type": "ms.vss-endpoint.endpoint-auth-scheme-token",
            "headers": [{"name": "Authorization", "value": "Bearer {{endpoint.apitoken}}"}],
            "inputDescriptors": [
                {
                    "id": "apitoken",
                    "name": "API Token",
                    "inputMode": "passwordBox",
                    "isConfidential": True,
                    "validation": {"isRequired": True, "dataType": "string"},
                }
            ],
        },
        {"type": "ms.vss-endpoint.endpoint-auth-scheme-basic"},
        {"type": "ms.vss-endpoint.endpoint-auth-scheme-none"},
    ],
    "inputDescriptors": [
        {"id": "Tenant", "name": "Tenant", "inputMode": "textBox", "validation": {"isRequired": "true"}},
        {
            "id": "Mode",
            "name": "Mode",
            "inputMode": "combo",
            "values": {"defaultValue": "a", "possibleValues": [{"value": "a"}, {"value": "b"}]},
        },
        {"id": "Code", "name": "Code", "inputMode": "textBox", "validation": {"pattern": "(?<bad"}},
    ],
}


def _read(**changes: Any) -> Contributed:
    found = read_type({**PROPERTIES, **changes}, "acme.tools")
    assert found is not None
    return found


def test_a_contribution_becomes_a_connection_type() -> None:
    kind = _read().type
    assert (kind.name, kind.label, kind.url.label, kind.url.required) == (
        "Fabrikam",
        "Fabrikam server",
        "Server address",
        True,
    )
    assert [scheme.name for scheme in kind.schemes] == ["Token", "UsernamePassword", "None"]
    token = kind.schemes[0].parameters[0]
    assert (token.key, token.secret, token.required) == ("apitoken", True, True)
    assert [(one.key, one.secret) for one in kind.schemes[1].parameters] == [("username", False), ("password", True)]
    assert [(one.key, one.kind, one.choices, one.default, one.required) for one in kind.data] == [
        ("Tenant", "text", (), "", True),
        ("Mode", "choice", ("a", "b"), "a", False),
        ("Code", "text", (), "", False),
    ]


def test_a_field_that_leads_somewhere_drops_the_secrets_when_it_changes() -> None:
    assert [one.key for one in _read().type.data if one.address] == ["Tenant"]


def test_a_hidden_url_is_made() -> None:
    url = _read(url={"value": "https://{{endpoint.Tenant}}.example.com", "isVisible": "false"}).type.url
    assert (url.entered, url.template) == (False, "https://{Tenant}.example.com")


@pytest.mark.parametrize(
    "properties", [{}, {"name": 5, "inputDescriptors": "x"}, {"name": "a", "url": [], "dataSources": {}}]
)
def test_a_contribution_of_any_shape_is_no_defect(properties: Mapping[str, Any]) -> None:
    read_type(properties, "acme.tools")


def test_the_types_of_installed_extensions_are_found(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert installed_types(home) == {}
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "acme.tools.json").write_text(json.dumps({"name": "acme.tools", "types": [dict(PROPERTIES)]}))
    assert list(installed_types(home)) == ["fabrikam"]
    (tmp_path / FOLDER / "broken.json").write_text("{")
    with pytest.raises(StorageError, match="cannot be read"):
        installed_types(home)


class _Server(ThreadingHTTPServer):
    seen: list[dict[str, str]]


@pytest.fixture
def server() -> Iterator[_Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen = {name.lower(): value for name, value in self.headers.items()} | {"path": self.path}
            served.seen.append(seen)
            paths = {"/api/moved": 302, "/api/gone": 404}
            status = paths.get(
                self.path, 200 if seen.get("authorization", "").startswith(("Bearer ", "Basic ")) else 401
            )
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "http://elsewhere.invalid/")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing: it is a test."""

    served = _Server(("127.0.0.1", 0), Handler)
    served.seen = []
    thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield served
    served.shutdown()
    thread.join()
    served.server_close()


def _connection(server: _Server, scheme: str = "Token", tenant: str = "one", **parameters: str) -> Connection:
    return Connection(
        id="1",
        name="fab",
        type="Fabrikam",
        url=f"http://127.0.0.1:{server.server_port}",
        scheme=scheme,
        parameters={name: Secret(value) for name, value in parameters.items()},
        data={"Tenant": tenant},
    )


def test_the_test_of_an_extension_asks_with_the_headers_of_the_scheme(server: _Server) -> None:
    source = _read().test
    assert source is not None
    assert "answered 200 OK" in try_connection(_connection(server, apitoken="token-1"), source)
    assert "answered 200 OK" in try_connection(
        _connection(server, "usernamepassword", username="u", password="p"), source
    )
    first, second = server.seen
    assert (first["path"], first["authorization"], first["x-kind"]) == ("/api/one", "Bearer token-1", "test")
    assert second["authorization"] == "Basic " + base64.b64encode(b"u:p").decode()


@pytest.mark.parametrize(
    ("scheme", "tenant", "message"),
    [
        ("None", "one", "does not accept the credentials"),
        ("Token", "gone", "nothing at the address"),
        ("Token", "moved", "redirects to"),
    ],
)
def test_why_a_test_fails_is_told(server: _Server, scheme: str, tenant: str, message: str) -> None:
    source = _read().test
    assert source is not None
    with pytest.raises(VerificationError, match=message) as raised:
        try_connection(_connection(server, scheme, tenant, apitoken="token-1"), source)
    assert "token-1" not in str(raised.value)


@pytest.mark.parametrize("token", ["a\r\nX-Evil: 1", "\N{SNOWMAN}"])
def test_a_secret_that_no_header_can_hold_is_not_sent(server: _Server, token: str) -> None:
    source = _read().test
    assert source is not None
    with pytest.raises(VerificationError, match="no header can"):
        try_connection(_connection(server, apitoken=token), source)
    assert server.seen == []


def test_only_questions_are_asked(server: _Server) -> None:
    sources = [{"name": "TestConnection", "endpointUrl": "{{endpoint.url}}", "requestVerb": "Delete"}]
    source = _read(dataSources=sources).test
    assert source is not None
    with pytest.raises(VerificationError, match="DELETE"):
        try_connection(_connection(server), source)
