"""Publish profiles: what the XML says, and that its log-in is tried at the app's own deployment service."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import Giver
from tests.doubles.certificates import Authority
from tests.doubles.web import Call, Double, Reply, served

from sluice.plugin import Connection, Secret, TaskFailedError, VerificationError, basic
from sluice.testing.connections import make_connection
from sluice_azure._profile import profile_of
from sluice_azure._verification import verify_resource_manager

PASSWORD = "publish-pass-0815"


class Kudu(Double):
    """The deployment service of an app."""

    def answer(self, call: Call) -> Reply:
        self.expect(call.method == "GET", "looking changes nothing")
        if call.headers.get("authorization") != basic("$site", Secret(PASSWORD)).reveal():
            return Reply(401, {}, {"WWW-Authenticate": 'Basic realm="site"'})
        return Reply(200, {"version": "1"}) if call.path == "/api/environment" else Reply(404, {})


@pytest.fixture
def kudu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kudu]:
    authority = Authority(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.issue("kudu", tmp_path))
    double = Kudu()
    with served(double, context):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.path))
        yield double
    assert double.complaints == []


def connection(host: str, password: str = PASSWORD, method: str = "ZipDeploy") -> Connection:
    text = (
        f'<publishData><publishProfile publishMethod="FTP" publishUrl="ftp.example" userName="f" userPWD="f-0815"/>'
        f'<publishProfile publishMethod="{method}" publishUrl="{host}" userName="$site" userPWD="{password}" '
        'destinationAppUrl="http://site.example"/></publishData>'
    )
    return make_connection("azurerm", "site", scheme="PublishProfile", values={"publishProfile": text})


def test_the_log_in_is_tried_at_the_app(kudu: Kudu, evidence: Giver) -> None:
    host = kudu.url.removeprefix("https://")
    assert verify_resource_manager(connection(host)) == f"{kudu.url} accepts the publish profile of $site"
    evidence("azurerm", "PublishProfile", "verified right", "Kudu (double)")
    with pytest.raises(VerificationError, match="does not accept the log-in of the publish profile") as raised:
        verify_resource_manager(connection(host, "wrong-pass-4711"))
    assert "wrong-pass" not in str(raised.value)
    evidence("azurerm", "PublishProfile", "verified wrong", "Kudu (double)")


def test_an_older_profile_has_its_log_in_under_msdeploy() -> None:
    profile = profile_of(connection("site.scm.example:443", method="MSDeploy"))
    assert (profile.url, profile.username, profile.app_url) == (
        "https://site.scm.example",
        "$site",
        "http://site.example",
    )
    assert PASSWORD not in repr(profile)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("<publishData/>", "no log-in for ZipDeploy or MSDeploy"),
        ("no xml", "is no XML"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><publishData/>', "is no plain XML"),
        ("<publishData>" + "x" * 70_000 + "</publishData>", "is no plain XML"),
        ('<publishData><publishProfile publishMethod="ZipDeploy" publishUrl="a/b" userName="u" userPWD="p"/></publishData>', "names no host"),
        ('<publishData><publishProfile publishMethod="ZipDeploy" publishUrl="h.example"/></publishData>', "names no host"),
    ],
)  # fmt: skip
def test_a_profile_that_is_none_is_told(text: str, problem: str) -> None:
    asked = Connection(
        id="1", name="site", type="azurerm", scheme="PublishProfile", parameters={"publishProfile": Secret(text)}
    )
    with pytest.raises(TaskFailedError, match=problem):
        profile_of(asked)
