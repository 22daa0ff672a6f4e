"""The probe: what it follows, what it sends where, and what it reads (why there is no answer: see sluice_generic)."""

from __future__ import annotations

import contextlib
import io
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.doubles.certificates import Authority
from tests.doubles.web import Call, Double, Reply, served

from sluice.errors import CanceledError, VerificationError
from sluice.hooks import watched
from sluice.hooks.connection import Connection
from sluice.hooks.probe import Probe, check_host
from sluice.secret import Secret

CONNECTION = Connection(id="1", name="api", type="any")
HEADER = Secret("Bearer token-0123456789")


class Service(Double):
    """Answers what its path says."""

    def answer(self, call: Call) -> Reply:
        if call.path.startswith("/to/"):
            return Reply(307, headers={"Location": call.path.removeprefix("/to/")})
        return Reply(200, {"sent": call.body.decode(), "much": "x" * 100_000})


@pytest.fixture
def start() -> Iterator[Callable[[], Service]]:
    with ExitStack() as running:

        def begin() -> Service:
            service = Service()
            running.enter_context(served(service))
            return service

        yield begin


def test_the_header_is_sent_and_a_redirect_within_the_origin_is_followed(start: Callable[[], Service]) -> None:
    service = start()
    probe = Probe(connection=CONNECTION, authorization=HEADER, headers={"Accept": "x/y"})
    answer = probe.ask(f"{service.url}/to//there", method="POST", body=b"{}", limit=1 << 20)
    assert (answer.ok, answer.shown, answer.url) == (True, "200 OK", f"{service.url}/there")
    assert answer.json()["sent"] == "{}"
    assert [call.headers["authorization"] for call in service.calls] == [HEADER.reveal()] * 2
    assert {call.headers["accept"] for call in service.calls} == {"x/y"}
    assert HEADER.reveal() not in repr(probe)
    assert "sent" not in repr(answer)


def test_the_header_does_not_follow_to_another_origin(start: Callable[[], Service]) -> None:
    service, other = start(), start()
    with pytest.raises(VerificationError, match=f"{service.url} redirects to {other.url}"):
        Probe(connection=CONNECTION, authorization=HEADER).ask(f"{service.url}/to/{other.url}/x")
    assert other.calls == []


def test_of_the_body_no_more_is_read_than_was_asked_for(start: Callable[[], Service]) -> None:
    probe = Probe(connection=CONNECTION)
    url = start().url
    assert probe.ask(url).body == b""
    answer = probe.ask(url, limit=10)
    assert len(answer.body) == 10
    assert answer.json() is None


def test_without_authentication_nothing_is_sent(start: Callable[[], Service]) -> None:
    service = start()
    Probe(connection=CONNECTION, authorization=HEADER).ask(service.url, authenticate=False)
    assert "authorization" not in service.calls[0].headers


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "::ffff:169.254.169.254", "2852039166", "fe80::1", "0.0.0.0", "::"]
)
def test_special_addresses_are_refused_in_every_spelling(host: str) -> None:
    with pytest.raises(VerificationError, match="is a link-local or special address"):
        check_host(host, 80, name="api")


@pytest.mark.parametrize("host", ["127.0.0.1", "10.0.0.1", "nowhere.invalid"])
def test_other_addresses_are_not(host: str) -> None:
    check_host(host, 80, name="api")


def test_a_name_that_changed_its_mind_is_noticed_before_anything_is_said() -> None:
    class Reached:
        sent = closed = False

        class sock:  # noqa: N801  # as urllib3 has it
            @staticmethod
            def getpeername() -> tuple[str, int]:
                return "169.254.169.254", 80

        def close(self) -> None:
            self.closed = True

    reached = Reached()
    with pytest.raises(watched.SpecialAddressError):
        watched._check_peer(reached)
    assert reached.closed


def test_every_connection_looks_at_its_peer(start: Callable[[], Service], monkeypatch: pytest.MonkeyPatch) -> None:
    service = start()
    looked: list[str] = []
    real = socket.socket.getpeername

    def look(self: socket.socket) -> object:
        looked.append("looked")
        return real(self)

    monkeypatch.setattr(socket.socket, "getpeername", look, raising=False)
    assert Probe(connection=CONNECTION).ask(service.url).ok
    assert looked


@pytest.fixture
def dripping() -> Iterator[tuple[str, threading.Event]]:
    """A server that answers drop by drop and never comes to an end; the event is set when it was hung up on."""
    gone = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
                while True:
                    connection.sendall(b"x")
                    connection.settimeout(0.02)
                    with contextlib.suppress(TimeoutError):
                        while connection.recv(4096):
                            pass
                        break
        gone.set()

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/", gone
    listener.close()
    thread.join()


def test_an_answer_drop_by_drop_ends_when_the_time_is_up(dripping: tuple[str, threading.Event]) -> None:
    url, gone = dripping
    with pytest.raises(VerificationError, match=r"did not answer within 0\.2 seconds"):
        Probe(connection=CONNECTION, seconds=0.2).ask(url, limit=1 << 20)
    assert gone.wait(10)


def test_an_answer_in_time_is_whole(start: Callable[[], Service]) -> None:
    answer = Probe(connection=CONNECTION, seconds=20).ask(start().url, limit=1 << 20)
    assert len(answer.json()["much"]) == 100_000


def test_headers_are_not_in_the_representation() -> None:
    assert "k3y" not in repr(Probe(connection=CONNECTION, headers={"x-functions-key": "k3y"}))


def test_a_body_goes_piece_by_piece_where_it_is_asked_to(start: Callable[[], Service]) -> None:
    pieces: list[bytes] = []
    answer = Probe(connection=CONNECTION).ask(f"{start().url}/there", limit=10, sink=pieces.append)
    assert (answer.ok, answer.body) == (True, b"")
    assert b"".join(pieces).count(b"x") == 100_000


def test_what_takes_the_pieces_may_end_it(start: Callable[[], Service]) -> None:
    def stop(piece: bytes) -> None:
        raise CanceledError("enough")

    with pytest.raises(CanceledError, match="enough"):
        Probe(connection=CONNECTION).ask(f"{start().url}/there", sink=stop)


def test_a_redirect_is_the_answer_where_it_is_not_followed(start: Callable[[], Service]) -> None:
    service = start()
    answer = Probe(connection=CONNECTION).ask(f"{service.url}/to/http://elsewhere.invalid/", follow=False)
    assert (answer.status, answer.headers["location"]) == (307, "http://elsewhere.invalid/")


def test_a_file_is_sent_once(start: Callable[[], Service]) -> None:
    service = start()
    probe = Probe(connection=CONNECTION)
    content = io.BytesIO(b"much")
    assert probe.ask(f"{service.url}/to//there", method="POST", body=content).status == 307
    assert service.calls[-1].body == b"much"
    assert len(service.calls) == 1


def test_any_certificate_is_trusted_only_where_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority = Authority(tmp_path)
    context.load_cert_chain(*authority.issue("service", tmp_path))
    with served(service, context):
        for bundle in ("", "/etc/ssl/certs/ca-certificates.crt"):  # whatever the environment says
            monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
            with pytest.raises(VerificationError, match="is not trusted"):
                Probe(connection=CONNECTION).ask(service.url)
            assert Probe(connection=CONNECTION, trust_any_certificate=True).ask(service.url).ok
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.path))
        assert Probe(connection=CONNECTION).ask(service.url).ok
