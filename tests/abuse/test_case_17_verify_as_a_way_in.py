"""Abuse case 17: Verify and the endpoint proxy as a way into the networks around the server."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from sluice.connections.connection import Draft
from sluice.connections.guard import Unrestricted
from sluice.hooks.networks import InnerAddressError, Networks, limited_to
from sluice.identity.administration import Administration
from sluice.secret import Secret
from sluice.server.app import create_app
from sluice.server.settings import ServerSettings
from sluice.server.state import ServerState
from sluice.storage.home import Home

SECRET = "correct horse battery staple"
PROXY = "/local/default/_apis/serviceendpoint/endpointproxy"
VERSION = {"api-version": "7.1-preview.1"}
TEST = {"dataSourceDetails": {"dataSourceName": "TestConnection"}}


class Inner:
    """A service of the inner network, on loopback; `asked` are the requests that have reached it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        inner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                inner.asked.append(f"{self.path} {self.headers.get('Authorization')}")
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"the inner network's secrets")

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def inner() -> Iterator[Inner]:
    made = Inner()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def state(tmp_path: Path) -> Iterator[ServerState]:
    opened = ServerState.open(ServerSettings(), Home(tmp_path / "home"))
    yield opened
    opened.close()


@pytest.fixture
def client(state: ServerState) -> Iterator[TestClient]:
    with TestClient(create_app(state), base_url="http://127.0.0.1:8080", raise_server_exceptions=False) as made:
        with state.database.write() as transaction:
            administration = Administration(Unrestricted("root"))
            token = administration.create_token(transaction, "", "test", ["app_token"], days=1, at=state.clock())[1]
        made.auth = ("", token.reveal())
        yield made


def _stored(state: ServerState, url: str) -> str:
    draft = Draft(
        name="depot",
        type="jenkins",
        scheme="UsernamePassword",
        url=url,
        values={"username": "ada"},
        secrets={"password": Secret(SECRET)},
    )
    return state.store().create("default", draft, by="root").record.id


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f000001", "127.1", "0.0.0.0"],
)
def test_an_inner_address_is_not_reached_however_it_is_written(
    client: TestClient, state: ServerState, inner: Inner, host: str
) -> None:
    endpoint = _stored(state, f"http://{host}:{inner.port}")
    answer = client.post(PROXY, params={**VERSION, "endpointId": endpoint}, json=TEST)
    assert answer.status_code == 200
    assert answer.json()["statusCode"] != "ok"
    assert inner.asked == []
    assert "inner network's secrets" not in answer.text


def test_the_metadata_service_of_a_cloud_is_not_reached(client: TestClient, state: ServerState) -> None:
    endpoint = _stored(state, "http://169.254.169.254/latest/meta-data")
    answer = client.post(PROXY, params={**VERSION, "endpointId": endpoint}, json=TEST).json()
    assert (answer["statusCode"], answer["result"]) == ("badRequest", [])


def test_a_connection_that_is_not_stored_is_no_way_in_either(client: TestClient, inner: Inner) -> None:
    details = {
        "type": "jenkins",
        "url": f"http://127.0.0.1:{inner.port}",
        "authorization": {"scheme": "UsernamePassword", "parameters": {"username": "ada", "password": SECRET}},
        "data": {},
    }
    for endpoint in ("", "0", "00000000-0000-0000-0000-000000000000"):
        body = {**TEST, "serviceEndpointDetails": details}
        answer = client.post(PROXY, params={**VERSION, "endpointId": endpoint}, json=body)
        assert answer.json()["statusCode"] == "badRequest"
    assert inner.asked == []


def test_a_name_that_resolves_elsewhere_in_the_moment_of_connecting_is_caught_there(inner: Inner) -> None:
    """DNS rebinding: what a name resolved to before does not count, the address that is connected to does."""
    with limited_to(Networks()), pytest.raises(InnerAddressError):
        socket.create_connection(("127.0.0.1", inner.port))
    assert inner.asked == []


def test_other_schemes_are_not_asked(client: TestClient) -> None:
    for url in ("file:///etc/passwd", "gopher://127.0.0.1:70/x", "http://a\r\nX-Injected: 1"):
        details = {"type": "jenkins", "url": url, "authorization": {"scheme": "UsernamePassword", "parameters": {}}}
        body = {**TEST, "serviceEndpointDetails": details}
        answer = client.post(PROXY, params=VERSION, json=body)
        assert answer.status_code == 400, url


def test_a_stored_secret_does_not_go_to_an_address_that_the_request_brings(
    client: TestClient, state: ServerState, inner: Inner
) -> None:
    """Abuse case 18 by way of Verify: the details of a request point elsewhere than the stored connection."""
    state.settings = ServerSettings(networks=_loopback())
    endpoint = _stored(state, "https://depot.example")
    authorization = {"scheme": "UsernamePassword"}
    details = {"type": "jenkins", "url": f"http://127.0.0.1:{inner.port}", "authorization": authorization, "data": {}}
    body = {**TEST, "serviceEndpointDetails": details}
    client.post(PROXY, params={**VERSION, "endpointId": endpoint}, json=body)
    assert SECRET not in "".join(inner.asked)
    import base64

    assert base64.b64encode(f"ada:{SECRET}".encode()).decode() not in "".join(inner.asked)


def test_what_the_server_was_told_to_allow_is_tried(client: TestClient, state: ServerState, inner: Inner) -> None:
    state.settings = ServerSettings(networks=_loopback())
    endpoint = _stored(state, f"http://127.0.0.1:{inner.port}")
    answer = client.post(PROXY, params={**VERSION, "endpointId": endpoint}, json=TEST)
    assert inner.asked
    assert "inner network's secrets" not in answer.text


def test_trying_is_limited_in_number(client: TestClient, state: ServerState) -> None:
    endpoint = _stored(state, "http://127.0.0.1:1")
    statuses = {
        client.post(PROXY, params={**VERSION, "endpointId": endpoint}, json=TEST).status_code for _ in range(31)
    }
    assert statuses == {200, 429}


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "fd00::1",
        "fe80::1%eth0",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "nonsense",
    ],
)
def test_every_inner_address_is_known_as_one(address: str) -> None:
    assert Networks().refuses(address)


def test_public_addresses_are_tried() -> None:
    assert not Networks().refuses("93.184.215.14")
    assert not Networks().refuses("2606:2800:21f:cb07:6820:80da:af6b:8b2c")


def _loopback() -> Networks:
    import ipaddress

    return Networks((ipaddress.ip_network("127.0.0.0/8"),))
