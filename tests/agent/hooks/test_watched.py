"""TLS of a probe: certificates of clients, and certificates of services that are known otherwise than by their name."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.doubles.certificates import Authority
from tests.doubles.web import Call, Double, Reply, served

from sluice.errors import VerificationError
from sluice.hooks.connection import Connection
from sluice.hooks.probe import Probe
from sluice.hooks.watched import Tls
from sluice.secret import Secret

CONNECTION = Connection(id="1", name="api", type="any")
HEADER = Secret("Bearer token-0123456789")


class Service(Double):
    def answer(self, call: Call) -> Reply:
        return Reply(200, {})


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def start(authority: Authority, tmp_path: Path) -> Iterator[Callable[..., Service]]:
    with ExitStack() as running:

        def begin(*, clients: Authority | None = None, host: str = "") -> Service:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*authority.issue("server", tmp_path, host=host))
            if clients is not None:
                context.load_verify_locations(clients.path)
                context.verify_mode = ssl.CERT_REQUIRED
            service = Service()
            running.enter_context(served(service, context))
            return service

        yield begin


def digest_of(path: Path) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(path.read_text())).hexdigest()


def only(wanted: str) -> Callable[[bytes], str]:
    return lambda der: "" if hashlib.sha256(der).hexdigest() == wanted else "it is another one"


def test_a_service_may_be_known_by_its_certificate_alone(start: Callable[..., Service], tmp_path: Path) -> None:
    service = start()
    tls = Tls(accepts=only(digest_of(tmp_path / "server.pem")))
    probe = Probe(connection=CONNECTION, authorization=HEADER, trust_any_certificate=True, tls=tls)
    assert probe.ask(service.url).ok


def test_nothing_is_sent_to_a_service_with_another_certificate(start: Callable[..., Service]) -> None:
    service = start()
    tls = Tls(accepts=only("0" * 64))
    probe = Probe(connection=CONNECTION, authorization=HEADER, trust_any_certificate=True, tls=tls)
    with pytest.raises(VerificationError, match=r"is not the right one.*it is another one"):
        probe.ask(service.url)
    assert service.calls == []


def test_who_signed_it_is_looked_at_even_where_the_name_is_not(
    start: Callable[..., Service], authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = start(host="elsewhere.example.com")
    probe = Probe(connection=CONNECTION, tls=Tls(any_name=True))
    with pytest.raises(VerificationError, match="is not trusted"):
        probe.ask(service.url)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.path))
    assert probe.ask(service.url).ok
    with pytest.raises(VerificationError):
        Probe(connection=CONNECTION, tls=Tls()).ask(service.url)
    assert len(service.calls) == 1


def test_a_client_shows_its_certificate(start: Callable[..., Service], authority: Authority, tmp_path: Path) -> None:
    service = start(clients=authority)
    mine = authority.issue("client", tmp_path)
    tls = Tls(shows=lambda context: context.load_cert_chain(*mine))
    assert Probe(connection=CONNECTION, trust_any_certificate=True, tls=tls).ask(service.url).ok


def test_a_client_certificate_that_is_not_taken_is_told(
    start: Callable[..., Service], authority: Authority, tmp_path: Path
) -> None:
    service = start(clients=authority)
    (tmp_path / "other").mkdir()
    theirs = Authority(tmp_path / "other").issue("client", tmp_path / "other")
    tls = Tls(shows=lambda context: context.load_cert_chain(*theirs))
    with pytest.raises(VerificationError, match="does not accept the client certificate"):
        Probe(connection=CONNECTION, trust_any_certificate=True, tls=tls).ask(service.url)
    assert service.calls == []
