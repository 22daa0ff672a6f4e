"""The try of a connection: right, wrong credentials, wrong address, other certificates, missing permission."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

import pytest
from tests.conftest import Giver
from tests.doubles.certificates import Authority
from tests.doubles.service_fabric import Cluster, Tenant
from tests.doubles.service_fabric_site import PASSWORD, Site
from tests.doubles.web import Call, Reply

from sluice.plugin import Connection, VerificationError
from sluice.testing.connections import make_connection
from sluice_service_fabric import verify
from sluice_service_fabric._cluster import gateway

TENANT = {"tenant": "contoso", "client": "client-id-0001", "cluster": "https://cluster.contoso.example"}
TOKEN = "entra-token-0001"


def account(site: Site, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Tenant:
    """A cluster that knows its clients by tokens of a tenant."""
    tenant = Tenant(TENANT["tenant"], TENANT["client"], TENANT["cluster"], TOKEN)
    site.start(tenant, clients=False)
    site.start(cluster, clients=False)
    cluster.token = TOKEN
    cluster.aad = {**TENANT, "login": tenant.url, "redirect": "urn:ietf:wg:oauth:2.0:oob"}
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", tenant.url)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(site.authority.path))
    return tenant


def by_account(site: Site, cluster: Cluster, password: str = "pass-word-0001") -> Connection:
    return site.connection(cluster, "UsernamePassword", username="ada@example.com", password=password)


def test_a_certificate_opens_the_cluster(site: Site, cluster: Cluster, evidence: Giver) -> None:
    told = f"the cluster at {cluster.url} has version 10.1.2338.9590"
    assert verify(site.connection(cluster)) == told
    copied = "‎" + " ".join(site.thumbprint.lower()[at : at + 2] for at in range(0, 40, 2))
    assert verify(site.connection(cluster, servercertthumbprint=f"{'AB' * 20}, {copied}")) == told
    evidence("servicefabric", "Certificate", "verified right", "Service Fabric (double)")


def test_another_certificate_of_the_cluster_is_told_and_nothing_sent(site: Site, cluster: Cluster) -> None:
    with pytest.raises(VerificationError, match=f"not the right one: its thumbprint is {site.thumbprint}"):
        verify(site.connection(cluster, servercertthumbprint="AB" * 20))
    assert cluster.calls == []


def test_a_common_name_takes_an_authority_that_is_trusted(
    site: Site, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_name = site.connection(cluster, certLookup="CommonName", servercertcommonname="other, Cluster.example.com")
    with pytest.raises(VerificationError, match="is not trusted"):
        verify(by_name)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(site.authority.path))
    assert "10.1.2338.9590" in verify(by_name)
    with pytest.raises(VerificationError, match=r"its common name is 'cluster\.example\.com', which"):
        verify(site.connection(cluster, certLookup="CommonName", servercertcommonname="other"))
    assert len(cluster.calls) == 1


def test_a_connection_that_knows_nothing_of_the_cluster_is_refused(site: Site, cluster: Cluster) -> None:
    with pytest.raises(VerificationError, match="the connection has no common name"):
        verify(site.connection(cluster, certLookup="CommonName"))


def test_a_client_certificate_that_the_cluster_does_not_know_is_told(
    site: Site, cluster: Cluster, tmp_path: Path, evidence: Giver
) -> None:
    (tmp_path / "other").mkdir()
    stranger = site.client_of(Authority(tmp_path / "other"))
    with pytest.raises(VerificationError, match="does not accept the client certificate"):
        verify(site.connection(cluster, certificate=stranger))
    evidence("servicefabric", "Certificate", "verified wrong", "Service Fabric (double)")


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"certificate": base64.b64encode(b"no pfx at all").decode()}, "it is no PKCS #12 file"),
        ({"certificate": "%%%"}, "it is no base64"),
        ({"certificatepassword": "wrong-secret-0666"}, "its password is wrong"),
    ],
)
def test_a_client_certificate_that_cannot_be_read_is_told(
    site: Site, cluster: Cluster, values: dict[str, str], why: str
) -> None:
    with pytest.raises(VerificationError, match=f"the client certificate cannot be read: {why}") as raised:
        verify(site.connection(cluster, **values))
    assert "wrong-secret-0666" not in str(raised.value)
    assert PASSWORD not in str(raised.value)


def test_an_entra_account_gets_a_token_for_the_cluster(
    site: Site, monkeypatch: pytest.MonkeyPatch, evidence: Giver
) -> None:
    cluster = Cluster()
    tenant = account(site, cluster, monkeypatch)
    assert "10.1.2338.9590" in verify(by_account(site, cluster))
    assert [call.headers.get("authorization") for call in cluster.calls] == [None, f"Bearer {TOKEN}"]
    with pytest.raises(VerificationError, match="Entra does not accept the user name and password: AADSTS50126"):
        verify(by_account(site, cluster, "wrong-secret-0666"))
    tenant.second_factor = True
    with pytest.raises(VerificationError, match="the account needs a second factor"):
        verify(by_account(site, cluster))
    evidence("servicefabric", "UsernamePassword", "verified right", "Service Fabric (double)")
    evidence("servicefabric", "UsernamePassword", "verified wrong", "Service Fabric (double)")


def test_a_token_that_the_cluster_does_not_take_is_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster()
    account(site, cluster, monkeypatch).token = "token-of-a-stranger"
    with pytest.raises(VerificationError, match="the cluster does not accept the credentials: 401 Unauthorized"):
        verify(by_account(site, cluster))


def test_a_password_is_given_to_nobody_but_entra(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster()
    tenant = account(site, cluster, monkeypatch)
    monkeypatch.delenv("AZURE_AUTHORITY_HOST")
    with pytest.raises(VerificationError, match="the cluster wants the password to be given to"):
        verify(by_account(site, cluster))
    assert tenant.calls == []


def test_a_cluster_without_a_tenant_is_told(site: Site) -> None:
    cluster = Cluster()
    site.start(cluster, clients=False)
    with pytest.raises(VerificationError, match="knows its clients by certificates only"):
        verify(by_account(site, cluster))


def test_an_unsecured_cluster_is_asked_without_anything(site: Site, evidence: Giver) -> None:
    cluster = Cluster()
    site.start(cluster, tls=False)
    told = verify(site.connection(cluster, "None", Unsecured="true"))
    assert told.endswith("has version 10.1.2338.9590; it is asked without any security")
    assert "authorization" not in cluster.calls[0].headers
    evidence("servicefabric", "None", "verified right", "Service Fabric (double)")


def test_windows_security_takes_a_ticket(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, evidence: Giver
) -> None:
    cluster = Cluster()
    site.start(cluster, tls=False)
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{tmp_path / 'none'}")
    with pytest.raises(VerificationError, match="the connection has no cluster SPN"):
        verify(site.connection(cluster, "None"))
    with pytest.raises(VerificationError, match="there is no Kerberos ticket of this user") as raised:
        verify(site.connection(cluster, "None", ClusterSpn="HTTP/cluster.example.com"))
    assert "kinit" in raised.value.do
    assert cluster.calls == []
    evidence("servicefabric", "None", "verified wrong", "Service Fabric (double)")


def test_credentials_are_not_sent_without_tls(site: Site) -> None:
    cluster = Cluster()
    site.start(cluster, tls=False)
    with pytest.raises(VerificationError, match="credentials are not sent without TLS"):
        verify(site.connection(cluster))
    assert cluster.calls == []


class Elsewhere(Cluster):
    """A web server that knows nothing of Service Fabric."""

    def answer(self, call: Call) -> Reply:
        return Reply(404, b"nothing here", content="text/html")


def test_something_else_at_the_address_is_told(site: Site) -> None:
    other = Elsewhere()
    site.start(other)
    with pytest.raises(VerificationError, match=r"there is no HTTP gateway of Service Fabric at https://127.0.0.1:\d+"):
        verify(site.connection(other))


def test_nobody_at_the_address_is_told(site: Site) -> None:
    asked = site.connection(Cluster(), httpGatewayEndpoint="https://127.0.0.1:9")
    with pytest.raises(VerificationError, match="refused the connection"):
        verify(asked)


def test_the_gateway_is_at_a_port_of_its_own_where_nothing_else_is_said() -> None:
    made = make_connection("servicefabric", url="tcp://mycluster.example.com:19000", scheme="None")
    assert gateway(made) == "http://mycluster.example.com:19080"
    assert gateway(replace(made, scheme="Certificate")) == "https://mycluster.example.com:19080"
    assert gateway(replace(made, url="tcp://[::1]:19000")) == "http://[::1]:19080"
    with pytest.raises(VerificationError, match="names no host"):
        gateway(replace(made, url="mycluster"))
