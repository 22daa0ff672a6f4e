from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Giver
from tests.doubles.certificates import Authority
from tests.doubles.web import Double, Reply, served
from tests.real.kubernetes.conftest import SERVER, ApiServer, Namespace

from sluice.plugin import Connection, Secret, VerificationError
from sluice_kubernetes import prepare, verify
from sluice_kubernetes._cluster import open_cluster
from sluice_kubernetes._connection import access_of

pytestmark = pytest.mark.real

DEPLOYER = "system:serviceaccount:shop:deployer"
MAY = "they may change deployments in the namespace 'shop'"


def by_kubeconfig(
    server: ApiServer, user: Mapping[str, str], cluster: Mapping[str, Any] | None = None, **data: str
) -> Connection:
    content = server.kubeconfig(user, **(cluster or {}))
    parameters = {"kubeconfig": Secret(json.dumps(content))}
    return Connection(id="1", name="cluster", type="kubernetes", scheme="Kubernetes", parameters=parameters, data=data)


def by_token(shop: Namespace, token: str, **changes: Any) -> Connection:
    known = shop.connection()
    return replace(known, parameters={**known.parameters, "apitoken": Secret(token)}, **changes)


def test_a_token_of_a_service_account_is_known(shop: Namespace, evidence: Giver) -> None:
    assert verify(by_token(shop, shop.token())) == (
        f"{shop.server.url} is Kubernetes v1.35.4 and knows the credentials as {DEPLOYER}; {MAY}"
    )
    evidence("kubernetes", "Token", "verified right", SERVER)


def test_a_secret_object_of_a_service_account_is_known(shop: Namespace) -> None:
    found = json.dumps(shop.secret_object())
    given = by_token(shop, found)
    assert DEPLOYER in verify(replace(given, parameters={"apitoken": Secret(found)}, data={}))
    assert MAY in verify(given)


def test_a_bound_token_is_asked_for_with_the_stored_credentials(shop: Namespace) -> None:
    shop.account("robot")
    shop.account("issuer")
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{shop.name}/roles"
    rules = [{"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"]}]
    shop.server.ask("POST", path, {"metadata": {"name": "issuing"}, "rules": rules})
    shop.bind("issuer", {"kind": "Role", "name": "issuing"})
    given = shop.connection(shop.token("issuer"), boundServiceAccount="shop/robot", boundTokenSeconds="600")
    assert "knows the credentials as system:serviceaccount:shop:robot" in verify(given)
    token = access_of(prepare(given)).token
    assert token is not None
    body = token.reveal().split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    assert claims["exp"] - claims["iat"] == 600
    assert claims["sub"] == "system:serviceaccount:shop:robot"


def test_a_bound_token_that_may_not_be_asked_for_is_told(shop: Namespace) -> None:
    shop.account("outsider")
    given = shop.connection(shop.token("outsider"), boundServiceAccount="shop/deployer")
    with pytest.raises(VerificationError, match="gives no token for the service account shop/deployer") as refusal:
        verify(given)
    assert refusal.value.why == "the stored credentials may not ask for one"
    assert "'create' on 'serviceaccounts/token'" in refusal.value.do


def test_a_bound_service_account_that_is_not_there_is_told(shop: Namespace) -> None:
    with pytest.raises(VerificationError, match="there is no such service account"):
        verify(shop.connection(boundServiceAccount="shop/nobody"))


def test_a_client_certificate_of_a_kubeconfig_is_known(api_server: ApiServer, tmp_path: Path, evidence: Giver) -> None:
    certificate, key = api_server.clients.issue("jane", tmp_path)
    user = {
        "client-certificate-data": base64.b64encode(certificate.read_bytes()).decode(),
        "client-key-data": base64.b64encode(key.read_bytes()).decode(),
    }
    said = verify(by_kubeconfig(api_server, user))
    assert "knows the credentials as jane; they may NOT change deployments in the namespace 'default'" in said
    assert "a role and its binding are missing" in said
    evidence("kubernetes", "Kubernetes", "verified right", SERVER)


def test_a_client_certificate_of_a_stranger_is_told(api_server: ApiServer, tmp_path: Path, evidence: Giver) -> None:
    certificate, key = Authority(tmp_path).issue("jane", tmp_path)
    user = {
        "client-certificate-data": base64.b64encode(certificate.read_bytes()).decode(),
        "client-key-data": base64.b64encode(key.read_bytes()).decode(),
    }
    with pytest.raises(VerificationError, match="does not accept the credentials"):
        verify(by_kubeconfig(api_server, user))
    evidence("kubernetes", "Kubernetes", "verified wrong", SERVER)


def test_a_wrong_token_is_told_and_not_shown(shop: Namespace, evidence: Giver) -> None:
    wrong = shop.token()[:-8] + "AAAAAAAA"
    with pytest.raises(VerificationError, match="does not accept the credentials") as refusal:
        verify(by_token(shop, wrong))
    assert wrong not in f"{refusal.value!r} {refusal.value.why} {refusal.value.do}"
    evidence("kubernetes", "Token", "verified wrong", SERVER)


def test_a_token_of_a_deleted_service_account_is_told(shop: Namespace) -> None:
    shop.account("gone")
    token = shop.token("gone")
    shop.server.ask("DELETE", f"{shop.path}/serviceaccounts/gone")
    with pytest.raises(VerificationError, match="the service account has been deleted"):
        verify(by_token(shop, token))


def test_a_certificate_of_another_authority_is_told(shop: Namespace, tmp_path: Path) -> None:
    known = shop.connection()
    other = Secret(Authority(tmp_path).path.read_text())
    with pytest.raises(VerificationError, match="is not signed by the connection's authority"):
        verify(replace(known, parameters={**known.parameters, "serviceAccountCertificate": other}))


def test_without_a_certificate_the_authorities_of_the_machine_count(shop: Namespace) -> None:
    known = shop.connection()
    with pytest.raises(VerificationError, match="is not signed by an authority that this machine knows"):
        verify(replace(known, parameters={"apitoken": known.parameters["apitoken"]}))


def test_a_certificate_that_nobody_checked_is_said(shop: Namespace) -> None:
    known = shop.connection(acceptUntrustedCerts="true")
    said = verify(replace(known, parameters={"apitoken": known.parameters["apitoken"]}))
    assert said.endswith("the server's certificate was not checked (acceptUntrustedCerts)")


def test_a_host_that_the_certificate_is_not_for_is_told(shop: Namespace) -> None:
    given = by_token(shop, shop.token(), url=shop.server.url.replace("127.0.0.1", "127.0.0.2"))
    with pytest.raises(VerificationError, match=r"is for another host|refused the connection"):
        verify(given)


def test_the_name_of_the_server_may_differ_from_its_address(api_server: ApiServer, shop: Namespace) -> None:
    cluster = {"tls-server-name": "localhost"}
    assert "is Kubernetes" in verify(by_kubeconfig(api_server, {"token": shop.token()}, cluster))
    with pytest.raises(VerificationError, match="is for another host"):
        verify(by_kubeconfig(api_server, {"token": shop.token()}, {"tls-server-name": "elsewhere.example"}))


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://127.0.0.1:1", "refused the connection"),
        ("https://no-such-host.invalid:6443", "was not resolved"),
        ("https://169.254.169.254", "is not asked"),
        ("https://[::ffff:169.254.169.254]:443", "is not asked"),
        ("file:///etc/passwd", "no https:// URL"),
    ],
)
def test_an_address_that_is_none_is_told(shop: Namespace, url: str, told: str) -> None:
    with pytest.raises(VerificationError, match=told):
        verify(by_token(shop, shop.token(), url=url))


def test_an_address_without_tls_is_told(shop: Namespace) -> None:
    double = Double()
    with served(double), pytest.raises(VerificationError, match="does not speak TLS"):
        verify(by_token(shop, shop.token(), url=double.url.replace("http://", "https://")))
    assert double.calls == []


class _Elsewhere(Double):
    def __init__(self, reply: Reply) -> None:
        super().__init__()
        self.reply = reply

    def answer(self, call: Any) -> Reply:
        return self.reply


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (Reply(200, b"<html>", content="text/html"), "does not answer as an API server"),
        (Reply(404, {"error": "nothing here"}), "does not answer as an API server"),
        (Reply(302, {}, headers={"Location": "http://127.0.0.1:1/elsewhere"}), "redirects"),
    ],
)
def test_what_is_no_api_server_is_told_and_not_followed(shop: Namespace, reply: Reply, told: str) -> None:
    double = _Elsewhere(reply)
    with served(double), pytest.raises(VerificationError, match=told):
        verify(by_token(shop, shop.token(), url=double.url))
    assert len(double.calls) == 1


def test_an_unknown_context_is_told(api_server: ApiServer, shop: Namespace) -> None:
    given = by_kubeconfig(api_server, {"token": shop.token()})
    with pytest.raises(VerificationError, match="no context 'production'"):
        verify(replace(given, parameters={**given.parameters, "clusterContext": "production"}))


def test_credentials_that_the_cluster_does_not_look_at_are_told(api_server: ApiServer) -> None:
    with pytest.raises(VerificationError, match=r"does not (accept|know) the credentials"):
        verify(by_kubeconfig(api_server, {"username": "me", "password": "pw"}))


def test_one_connection_serves_all_requests(shop: Namespace) -> None:
    opened: set[int] = set()
    with open_cluster(access_of(shop.connection()), where="cluster") as cluster:
        for _ in range(3):
            cluster.ask("GET", f"{shop.path}/configmaps")
            opened.update(one.getsockname()[1] for one in cluster.line.sockets())
    assert len(opened) == 1
