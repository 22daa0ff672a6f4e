"""Each type's verification: right, wrong credentials, wrong address, untrusted certificate, missing permission."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.conftest import Giver
from tests.doubles.app_center import AppCenter
from tests.doubles.certificates import Authority
from tests.doubles.chef import Chef, client_key
from tests.doubles.jenkins import Jenkins, Job
from tests.doubles.jira import Jira
from tests.doubles.web import Double, served

from sluice.plugin import Connection, Secret, VerificationError
from sluice.testing.connections import make_connection
from sluice_ci import sluice_family, verify_app_center, verify_chef, verify_jenkins, verify_jira

WRONG = "wrong-secret-0666"
VERIFY = {"jenkins": verify_jenkins, "jira": verify_jira, "chef": verify_chef, "vsmobilecenter": verify_app_center}


def jenkins() -> tuple[Jenkins, dict[str, str], str]:
    double = Jenkins()
    double.jobs["job/app"] = Job()
    return double, {"username": "ada", "password": double.passwords["ada"]}, f"{double.prefix}/"


def jira() -> tuple[Jira, dict[str, str], str]:
    return Jira(), {"username": "ada@example.com", "password": "api-token-0001"}, "/"


def chef() -> tuple[Chef, dict[str, str], str]:
    double = Chef()
    return double, {"username": "deployer", "password": double.private_key}, double.prefix


def app_center() -> tuple[AppCenter, dict[str, str], str]:
    return AppCenter(), {"apitoken": "app-center-token-0001"}, "/v0.1"


Case = Callable[[], tuple[Double, dict[str, str], str]]
CASES: dict[str, Case] = {"jenkins": jenkins, "jira": jira, "chef": chef, "vsmobilecenter": app_center}
NAMES = {"jenkins": "Jenkins", "jira": "Jira", "chef": "Chef Infra Server", "vsmobilecenter": "App Center"}
ANSWERS = {
    "jenkins": "Jenkins knows ada, who sees 1 jobs and folders",
    "jira": "Jira knows the credentials as ada@example.com L.",
    "chef": "Chef Infra Server knows deployer; the organization has 0 environments",
    "vsmobilecenter": "App Center accepts the token, which opens 1 apps",
}


@pytest.fixture(params=CASES)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def connection(kind: str, double: Double, values: dict[str, str], path: str) -> Connection:
    scheme = "UsernamePassword" if "username" in values else ""
    return make_connection(kind, "ci", url=f"{double.url}{path}", scheme=scheme, values=values)


def other_secret(kind: str) -> str:
    return client_key("somebody") if kind == "chef" else WRONG


def test_right_credentials_are_told_as_right(kind: str, serve: Callable[[Double], None], evidence: Giver) -> None:
    double, values, path = CASES[kind]()
    serve(double)
    assert VERIFY[kind](connection(kind, double, values, path)) == ANSWERS[kind]
    assert VERIFY[kind](connection(kind, double, values, path.rstrip("/"))) == ANSWERS[kind]
    evidence(kind, connection(kind, double, values, path).scheme, "verified right", f"{NAMES[kind]} (double)")


def test_wrong_credentials_are_told_and_not_shown(kind: str, serve: Callable[[Double], None], evidence: Giver) -> None:
    double, values, path = CASES[kind]()
    serve(double)
    secret = "apitoken" if "apitoken" in values else "password"
    wrong = other_secret(kind)
    with pytest.raises(VerificationError, match="does not accept the credentials: they are wrong") as raised:
        VERIFY[kind](connection(kind, double, values | {secret: wrong}, path))
    assert wrong not in str(raised.value)
    evidence(kind, connection(kind, double, values, path).scheme, "verified wrong", f"{NAMES[kind]} (double)")


def test_another_address_is_told(kind: str, serve: Callable[[Double], None]) -> None:
    double, values, _ = CASES[kind]()
    serve(double)
    with pytest.raises(VerificationError, match=r"there is no .* at http://127.0.0.1:\d+/elsewhere/.*404 Not Found"):
        VERIFY[kind](connection(kind, double, values, "/elsewhere/"))


def test_a_certificate_that_nobody_vouches_for_is_told(kind: str, tmp_path: Path) -> None:
    double, values, path = CASES[kind]()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*Authority(tmp_path).issue("localhost", tmp_path))
    with served(double, context):
        with pytest.raises(VerificationError, match=r"the certificate of https://127.0.0.1:.* is not trusted"):
            VERIFY[kind](connection(kind, double, values, path))
        if kind == "jenkins":
            trusting = connection(kind, double, values | {"acceptUntrustedCerts": "true"}, path)
            assert VERIFY[kind](trusting) == ANSWERS[kind]
    assert double.complaints == []


def test_nobody_at_the_address_is_told(kind: str) -> None:
    double, values, path = CASES[kind]()
    with served(double):
        asked = connection(kind, double, values, path)
    with pytest.raises(VerificationError, match="refused the connection"):
        VERIFY[kind](asked)


@pytest.mark.parametrize("kind", ["jenkins", "jira", "chef"])  # every token of App Center may read its apps
def test_a_missing_permission_is_told_with_what_to_give(kind: str, serve: Callable[[Double], None]) -> None:
    double, values, path = CASES[kind]()
    serve(double)
    if isinstance(double, Jenkins):
        double.readers.clear()
    elif isinstance(double, Jira):
        double.forbidden.add("ada@example.com")
    elif isinstance(double, Chef):
        double.forbidden.add("GET")
    with pytest.raises(VerificationError, match=r"they lack a permission: 403 Forbidden \(.*"):
        VERIFY[kind](connection(kind, double, values, path))


def test_each_verification_is_declared() -> None:
    assert set(sluice_family().verify) == set(VERIFY)


@pytest.mark.parametrize(
    ("scheme", "values", "name"),
    [
        ("Token", {"apitoken": "pat-0123456789"}, "Grace"),
        (
            "JiraConnectApp",
            {
                "configurationId": "00000000-0000-0000-0000-000000000001",
                "appKey": "com.example.app",
                "sharedSecret": "shared-secret-0123456789-0123456789",
            },
            "App",
        ),
    ],
)
@pytest.mark.parametrize("prefix", ["", "/jira"])
def test_each_scheme_of_jira_sends_what_jira_takes(
    serve: Callable[[Double], None], scheme: str, values: dict[str, str], name: str, prefix: str, evidence: Giver
) -> None:
    double = Jira()
    double.prefix = prefix
    serve(double)
    asked = make_connection("jira", "ci", url=f"{double.url}{prefix}/", scheme=scheme, values=values)
    assert verify_jira(asked) == f"Jira knows the credentials as {name} L."
    evidence("jira", scheme, "verified right", "Jira (double)")
    secret = "apitoken" if scheme == "Token" else "sharedSecret"
    changed = make_connection(
        "jira", "ci", url=asked.url, scheme=scheme, values=values | {secret: f"wrong-{values[secret]}"}
    )
    with pytest.raises(VerificationError, match="does not accept the credentials"):
        verify_jira(changed)
    evidence("jira", scheme, "verified wrong", "Jira (double)")


def test_a_captcha_is_told_apart_from_a_missing_permission(serve: Callable[[Double], None]) -> None:
    double, values, path = jira()
    double.captcha = True
    serve(double)
    with pytest.raises(VerificationError, match="Jira wants a CAPTCHA from the account"):
        verify_jira(connection("jira", double, values, path))


def test_the_app_of_azure_pipelines_has_no_secret_here() -> None:
    values = {"configurationId": "00000000-0000-0000-0000-000000000001"}
    asked = make_connection("jira", "ci", url="https://jira.example.com/", scheme="JiraConnectApp", values=values)
    with pytest.raises(VerificationError, match="no credentials that could be used"):
        verify_jira(asked)


def test_clocks_that_differ_are_told_apart_from_a_wrong_key(serve: Callable[[Double], None]) -> None:
    double, values, path = chef()
    double.late = 4000
    serve(double)
    with pytest.raises(VerificationError, match="the clocks differ too much"):
        verify_chef(connection("chef", double, values, path))


def test_a_client_key_may_have_lost_its_line_ends(serve: Callable[[Double], None]) -> None:
    double, values, path = chef()
    serve(double)
    for joint in (" ", "\\n", "\r\n"):
        broken = values | {"password": joint.join(double.private_key.splitlines())}
        assert verify_chef(connection("chef", double, broken, path)) == ANSWERS["chef"]


def test_a_client_key_that_cannot_be_read_is_told_and_not_shown() -> None:
    asked = make_connection("chef", "ci", url="http://127.0.0.1:9/", values={"username": "deployer"})
    secret = "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----"
    asked = replace(asked, parameters={**asked.parameters, "password": Secret(secret)})
    with pytest.raises(VerificationError, match="the client key cannot be read") as raised:
        verify_chef(asked)
    assert "AAAA" not in str(raised.value)
