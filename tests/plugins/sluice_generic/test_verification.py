from __future__ import annotations

import base64
import datetime as dt
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.conftest import Giver

from sluice.hooks.manager import installed
from sluice.plugin import Connection, Secret, VerificationError
from sluice_generic import GENERIC, verify

PASSWORD = "pw-0a7b33"
RIGHT = "Basic " + base64.b64encode(f"user:{PASSWORD}".encode()).decode()


class Service(BaseHTTPRequestHandler):
    """Asks for Basic authentication below /private; other paths name the status or the place to go to."""

    seen: list[tuple[str, str | None]]

    def do_GET(self) -> None:
        self.seen.append((self.path, self.headers["Authorization"]))
        if self.path.startswith("/private"):
            self._answer(200 if self.headers["Authorization"] == RIGHT else 401)
        elif self.path.startswith("/to/"):
            self._answer(302, self.path.removeprefix("/to/"))
        else:
            self._answer(int(self.path.strip("/") or 200))

    def _answer(self, status: int, place: str = "") -> None:
        self.send_response(status)
        if place:
            self.send_header("Location", place)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as the base class
        pass


Start = Callable[..., tuple[str, list[tuple[str, str | None]]]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts services; answers the URL and the list of what was asked."""
    with ExitStack() as running:

        def begin(context: ssl.SSLContext | None = None) -> tuple[str, list[tuple[str, str | None]]]:
            seen: list[tuple[str, str | None]] = []
            server = ThreadingHTTPServer(("127.0.0.1", 0), type("Seen", (Service,), {"seen": seen}))
            running.callback(server.server_close)
            if context is not None:
                server.socket = context.wrap_socket(server.socket, server_side=True)
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            running.callback(thread.join)
            running.callback(server.shutdown)
            return f"{'https' if context else 'http'}://127.0.0.1:{server.server_port}", seen

        yield begin


def connection(url: str, username: str = "user", password: str = PASSWORD) -> Connection:
    parameters: dict[str, str | Secret] = {"username": username}
    if password:
        parameters["password"] = Secret(password)
    return Connection(id="1", name="api", type="generic", url=url, scheme="UsernamePassword", parameters=parameters)


def refusal(asked: Connection) -> str:
    with pytest.raises(VerificationError) as raised:
        verify(asked)
    assert PASSWORD not in str(raised.value)
    return str(raised.value)


def test_the_type_is_that_of_azure_pipelines() -> None:
    scheme = GENERIC.schemes[0]
    assert (GENERIC.name, GENERIC.url.entered, GENERIC.url.required, GENERIC.data) == ("generic", True, True, ())
    assert [(one.key, one.secret, one.required) for one in scheme.parameters] == [
        ("username", False, False),
        ("password", True, False),
    ]
    assert installed().types["generic"] is GENERIC


def test_credentials_that_open_the_url_are_good_and_plain_http_is_told(start: Start, evidence: Giver) -> None:
    url, seen = start()
    answer = verify(connection(f"{url}/private"))
    assert answer.startswith(f"{url} answered 200 OK as user")
    assert "without encryption" in answer
    assert "not checked" not in answer
    assert seen == [("/private", RIGHT), ("/private", None)]
    evidence("generic", "UsernamePassword", "verified right", "web service of the tests")
    assert "does not accept the user name and password" in refusal(connection(f"{url}/private", password="wrong-0815"))
    evidence("generic", "UsernamePassword", "verified wrong", "web service of the tests")


def test_a_url_that_everybody_may_read_proves_nothing(start: Start) -> None:
    url, _ = start()
    assert "they were not checked" in verify(connection(f"{url}/200"))
    assert verify(connection(f"{url}/200", username="", password="")) == f"{url} answered 200 OK without authentication"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/401", "does not accept the user name and password: 401 Unauthorized"),
        ("/403", "forbids the URL: 403 Forbidden"),
        ("/404", "has nothing at this URL"),
        ("/503", "answered with an error: 503 Service Unavailable"),
        ("/to//to//to//to//to//to//private", "more than 5 times"),
    ],
)
def test_each_answer_has_its_own_words(start: Start, path: str, text: str) -> None:
    url, _ = start()
    assert text in refusal(connection(f"{url}{path}"))


def test_a_redirect_within_the_origin_is_followed(start: Start) -> None:
    url, seen = start()
    assert "200 OK as user" in verify(connection(f"{url}/to//private"))
    assert ("/private", RIGHT) in seen


def test_credentials_do_not_follow_a_redirect_to_another_place(start: Start) -> None:
    url, _ = start()
    other, seen = start()
    assert f"redirects to {other}" in refusal(connection(f"{url}/to/{other}/private"))
    assert seen == []


@pytest.mark.parametrize("place", ["file:///etc/passwd", "http://[::1", "http://169.254.169.254:99999/"])
def test_a_redirect_to_what_is_no_service_is_refused(start: Start, place: str) -> None:
    url, _ = start()
    assert refusal(connection(f"{url}/to/{place}"))


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("ftp://127.0.0.1/", "only http and https"),
        ("file:///etc/passwd", "only http and https"),
        ("http://u:p@127.0.0.1/", "holds a user name or password"),
        ("http:///path", "names no host"),
        ("http://127.0.0.1:port/", "cannot be asked"),
        ("http://nowhere.invalid/", "the host name 'nowhere.invalid' was not resolved"),
        ("http://127.0.0.1:1/", "refused the connection"),
        ("http://169.254.169.254/latest/meta-data", "link-local"),
        ("http://[::ffff:169.254.169.254]/", "link-local"),
        ("http://2852039166/", "link-local"),
    ],
)
def test_what_cannot_be_asked_is_told_apart(url: str, text: str) -> None:
    assert text in refusal(connection(url))


def test_a_certificate_that_nobody_trusts_is_told(start: Start, tmp_path: Path) -> None:
    url, seen = start(self_signed(tmp_path))
    assert "certificate of" in refusal(connection(url))
    assert seen == []


def test_a_server_without_tls_is_told(start: Start) -> None:
    url, _ = start()
    assert "no TLS connection" in refusal(connection(url.replace("http:", "https:")))


def test_a_server_that_hangs_up_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            client, _ = listener.accept()
            client.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        assert "broke" in refusal(connection(f"http://127.0.0.1:{listener.getsockname()[1]}/"))
        thread.join()


def test_the_netrc_file_of_the_person_is_not_used(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password mine\n")
    monkeypatch.setenv("NETRC", str(netrc))
    url, seen = start()
    verify(connection(f"{url}/200", username="", password=""))
    assert seen == [("/200", None)]


def self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "both.pem"
    file.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context
