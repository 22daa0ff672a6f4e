"""A verification tells apart: wrong credentials, a missing right, a wrong address, and credentials nobody looks at."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.conftest import Giver
from tests.doubles.certificates import Authority
from tests.doubles.package_servers import USER, Pages, basic_of
from tests.doubles.web import Double, Reply, served

from sluice.plugin import Connection, Secret, VerificationError
from sluice_packages import sluice_family

Serve = Callable[[Double], None]

PASSWORD = "packages-pass-4711"
BASIC = basic_of(USER, PASSWORD)
WEAK = "weak-pass-4711"
FORBIDDEN = basic_of(USER, WEAK)
HTML = "text/html; charset=utf-8"

PLACES: dict[str, tuple[str, dict[str, Reply]]] = {
    "externalnpmregistry": ("/npm", {"/npm/-/whoami": Reply(200, {"username": USER})}),
    "externalnugetfeed": ("/v3/index.json", {"/v3/index.json": Reply(200, {"version": "3.0.0", "resources": []})}),
    "externalmavenrepository": ("/maven", {"/maven/": Reply(200, b"<html>", content=HTML)}),
    "externalPythonDownloadFeed": ("/simple", {"/simple/": Reply(200, b"<a>x</a>", content=HTML)}),
    "externalPythonUploadFeed": ("/legacy/", {"/legacy/": Reply(400, b"unknown action")}),
    "externalcargorepository": ("/index/", {"/index/config.json": Reply(200, {"dl": "https://x"})}),
}


def connection(kind: str, url: str, **parts: str) -> Connection:
    """A connection with a user name and a password; a `token` or an API key takes their place."""
    values: dict[str, str | Secret] = {"username": USER, "password": Secret(parts.get("password", PASSWORD))}
    scheme = "UsernamePassword"
    if "token" in parts:
        scheme, values = "Token", {"apitoken": Secret(parts["token"])}
    elif "key" in parts:
        scheme, values = "None", {"nugetkey": Secret(parts["key"])}
    return Connection(id="1", name="packages", type=kind, url=url, scheme=scheme, parameters=values)


def verify(one: Connection) -> str:
    return sluice_family().verify[one.type](one)


def serving(serve: Serve, kind: str, *, open_to_all: bool = False, accepted: str = BASIC) -> tuple[Pages, str]:
    path, pages = PLACES[kind]
    server = Pages(accepted, pages, FORBIDDEN, open_to_all=open_to_all)
    serve(server)
    return server, server.url + path


@pytest.mark.parametrize("kind", PLACES)
def test_right_credentials_are_accepted(serve: Serve, kind: str, evidence: Giver) -> None:
    _, url = serving(serve, kind)
    assert re.search(rf"(accepts the user|knows the credentials as) {USER}$", verify(connection(kind, url)))
    evidence(kind, "UsernamePassword", "verified right", "package server (double)")


@pytest.mark.parametrize("kind", PLACES)
def test_wrong_credentials_are_told_and_not_shown(serve: Serve, kind: str, evidence: Giver) -> None:
    _, url = serving(serve, kind)
    with pytest.raises(VerificationError, match="does not accept the credentials") as caught:
        verify(connection(kind, url, password="wrong-pass-0815"))
    assert "wrong-pass" not in str(caught.value)
    evidence(kind, "UsernamePassword", "verified wrong", "package server (double)")


@pytest.mark.parametrize("kind", PLACES)
def test_a_missing_right_is_told_from_wrong_credentials(serve: Serve, kind: str) -> None:
    _, url = serving(serve, kind)
    with pytest.raises(VerificationError, match="a scope or a right is missing"):
        verify(connection(kind, url, password=WEAK))


@pytest.mark.parametrize("kind", PLACES)
def test_a_wrong_address_is_told(serve: Serve, kind: str) -> None:
    server, _ = serving(serve, kind, open_to_all=True)
    with pytest.raises(VerificationError, match=r"there is no .* at http"):
        verify(connection(kind, f"{server.url}/elsewhere"))


@pytest.mark.parametrize("kind", PLACES)
def test_a_page_of_something_else_is_no_registry(serve: Serve, kind: str) -> None:
    server, url = serving(serve, kind)
    server.pages = {path: Reply(200, b"%PDF", content="application/pdf") for path in server.pages}
    if kind == "externalmavenrepository":
        assert "is a Maven repository" in verify(connection(kind, url))  # what a repository shows is its own affair
    else:
        with pytest.raises(VerificationError, match="there is no "):
            verify(connection(kind, url))


@pytest.mark.parametrize("kind", [kind for kind in PLACES if kind != "externalnpmregistry"])
def test_credentials_that_nobody_looks_at_are_not_called_good(serve: Serve, kind: str) -> None:
    _, url = serving(serve, kind, open_to_all=True)
    assert "they were not checked" in verify(connection(kind, url))


def test_a_server_that_says_forbidden_to_everybody_leaves_open_what_is_wrong(serve: Serve) -> None:
    server, url = serving(serve, "externalPythonUploadFeed")
    server.answer = lambda call: Reply(403, b"Invalid or non-existent authentication information.")  # type: ignore[method-assign]
    with pytest.raises(VerificationError, match="they are wrong, or a scope or a right is missing"):
        verify(connection("externalPythonUploadFeed", url))


def test_nothing_is_uploaded_to_see_whether_it_could_be(serve: Serve) -> None:
    server, url = serving(serve, "externalPythonUploadFeed")
    verify(connection("externalPythonUploadFeed", url))
    assert {(call.method, call.body) for call in server.calls} == {("POST", b"%3Aaction=sluice_verify")}


def test_a_token_of_npm_is_a_bearer_and_a_password_at_azure_devops(serve: Serve, evidence: Giver) -> None:
    server, url = serving(serve, "externalnpmregistry", accepted=f"Bearer {PASSWORD}")
    assert f"as {USER}" in verify(connection("externalnpmregistry", url, token=PASSWORD))
    server.accepted = basic_of("VssToken", PASSWORD)
    server.headers = {"X-TFS-ProcessId": "1"}
    assert f"as {USER}" in verify(connection("externalnpmregistry", url, token=PASSWORD))
    evidence("externalnpmregistry", "Token", "verified right", "package server (double)")


def test_a_registry_that_names_nobody_has_not_accepted_the_token(serve: Serve) -> None:
    server, url = serving(serve, "externalnpmregistry")
    server.pages = {"/npm/-/whoami": Reply(200, {})}
    with pytest.raises(VerificationError, match="the server does not know the credentials"):
        verify(connection("externalnpmregistry", url))


def test_an_api_key_is_not_sent_and_said_to_be_unchecked(serve: Serve, evidence: Giver) -> None:
    server, url = serving(serve, "externalnugetfeed", open_to_all=True)
    assert verify(connection("externalnugetfeed", url, key=PASSWORD)).endswith("cannot be checked without a push")
    assert all(PASSWORD not in str(call.headers) for call in server.calls)
    evidence("externalnugetfeed", "None", "verified right", "package server (double)")


def test_a_v2_feed_is_a_feed(serve: Serve) -> None:
    server, url = serving(serve, "externalnugetfeed")
    server.pages = {"/v3/index.json": Reply(200, b'<?xml version="1.0"?><service xml:base="x"/>', content="text/xml")}
    assert "is a NuGet feed and accepts" in verify(connection("externalnugetfeed", url))


@pytest.mark.parametrize(
    ("kind", "user"),
    [
        ("externalnugetfeed", "token"),
        ("externalmavenrepository", "AzureDevOps"),
        ("externalPythonDownloadFeed", "build"),
        ("externalPythonUploadFeed", "build"),
    ],
)
def test_a_token_goes_with_the_name_that_its_tasks_give_it(serve: Serve, kind: str, user: str, evidence: Giver) -> None:
    _, url = serving(serve, kind, accepted=basic_of(user, PASSWORD))
    assert verify(connection(kind, url, token=PASSWORD)).endswith("accepts the token")
    evidence(kind, "Token", "verified right", "package server (double)")
    with pytest.raises(VerificationError, match="does not accept the credentials") as caught:
        verify(connection(kind, url, token="wrong-token-0815"))
    assert "wrong-token" not in str(caught.value)
    evidence(kind, "Token", "verified wrong", "package server (double)")


def test_a_token_of_cargo_goes_as_it_is(serve: Serve, evidence: Giver) -> None:
    _, url = serving(serve, "externalcargorepository", accepted=PASSWORD)
    assert verify(connection("externalcargorepository", url, token=PASSWORD)).endswith("accepts the token")
    evidence("externalcargorepository", "Token", "verified right", "package server (double)")
    with pytest.raises(VerificationError, match="does not accept the credentials"):
        verify(connection("externalcargorepository", url, token="wrong-token-0815"))
    evidence("externalcargorepository", "Token", "verified wrong", "package server (double)")


def test_a_repository_without_a_page_is_told_by_what_it_asks_of_strangers(serve: Serve) -> None:
    server, url = serving(serve, "externalmavenrepository")
    server.pages = {}
    assert "the repository shows nothing at its root" in verify(connection("externalmavenrepository", url))


def test_a_repository_that_knows_no_head_is_asked_for_its_page(serve: Serve) -> None:
    server, url = serving(serve, "externalmavenrepository")
    known = server.answer
    server.answer = lambda call: Reply(405) if call.method == "HEAD" else known(call)  # type: ignore[method-assign]
    assert verify(connection("externalmavenrepository", url)).endswith(f"accepts the user {USER}")


@pytest.mark.parametrize("kind", PLACES)
def test_a_connection_without_its_secret_is_told_so(kind: str) -> None:
    bare = replace(connection(kind, "http://127.0.0.1:9/"), parameters={"username": USER})
    with pytest.raises(VerificationError, match="holds no secret"):
        verify(bare)


@pytest.mark.parametrize("kind", PLACES)
def test_a_server_that_is_not_there_is_told(kind: str) -> None:
    with pytest.raises(VerificationError, match="refused the connection"):
        verify(connection(kind, "http://127.0.0.1:9/"))


@pytest.mark.parametrize("kind", PLACES)
def test_a_certificate_that_nobody_trusts_is_told_before_anything_is_sent(kind: str, tmp_path: Path) -> None:
    certificate, key = Authority(tmp_path).issue("packages", tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    path, pages = PLACES[kind]
    server = Pages(BASIC, pages)
    with served(server, context), pytest.raises(VerificationError, match=r"certificate of .* is not trusted"):
        verify(connection(kind, server.url + path))
    assert server.calls == []
