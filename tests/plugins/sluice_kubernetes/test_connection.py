from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from tests.plugins.sluice_kubernetes.conftest import KEY, PEM, SERVER, TOKEN, encoded, kubeconfig

from sluice.connections.connection import Key
from sluice.connections.validation import Entered, fit
from sluice.errors import ConnectionInvalidError
from sluice.hooks.manager import installed
from sluice.plugin import Connection, Secret, TaskFailedError
from sluice_kubernetes import prepare
from sluice_kubernetes._connection import access_of
from sluice_kubernetes._types import KUBERNETES

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJkZXBsb3llciJ9.c2lnbmF0dXJl"


def connection(scheme: str = "Token", url: str = SERVER, **values: str) -> Connection:
    secret = {"apitoken", "apiToken", "serviceAccountCertificate", "kubeconfig", "spnKey"}
    parameters = {key: Secret(value) for key, value in values.items() if key in secret}
    data = {key: value for key, value in values.items() if key not in secret}
    return Connection(
        id="1", name="cluster", type="kubernetes", url=url, scheme=scheme, parameters=parameters, data=data
    )


def of_kubeconfig(user: dict[str, Any] | None = None, **data: str) -> Connection:
    return connection("Kubernetes", "", kubeconfig=yaml.safe_dump(kubeconfig(user)), **data)


def secret_object(**data: str) -> str:
    fields = {"token": encoded(JWT), "ca.crt": encoded(PEM), "namespace": encoded("shop")} | data
    return yaml.safe_dump({"apiVersion": "v1", "kind": "Secret", "data": {k: v for k, v in fields.items() if v}})


@pytest.mark.parametrize(
    "given", [encoded(JWT), JWT, f"{JWT}\n", secret_object(), json.dumps(yaml.safe_load(secret_object()))]
)
def test_a_token_is_taken_in_every_form_that_people_have_it(given: str) -> None:
    access = access_of(connection(apitoken=given, serviceAccountCertificate=encoded(PEM)))
    assert access.token == Secret(JWT)
    assert (access.server, access.authority) == (SERVER, PEM)


def test_a_secret_object_brings_its_certificate_and_namespace() -> None:
    access = access_of(connection(apitoken=secret_object()))
    assert (access.authority, access.namespace) == (PEM, "shop")


def test_the_certificate_may_be_pem_text() -> None:
    assert access_of(connection(apitoken=JWT, serviceAccountCertificate=PEM)).authority == PEM


def test_a_secret_that_nobody_has_filled_in_is_told() -> None:
    with pytest.raises(TaskFailedError, match="the Secret has no token") as refusal:
        access_of(connection(apitoken=secret_object(token="")))
    assert "kubernetes.io/service-account.name" in refusal.value.do


def test_another_object_is_told() -> None:
    with pytest.raises(TaskFailedError, match="no Secret object"):
        access_of(connection(apitoken="kind: Pod\napiVersion: v1\n"))


def test_a_token_that_is_none_is_told_without_showing_it() -> None:
    with pytest.raises(TaskFailedError, match="not the base64") as refusal:
        access_of(connection(apitoken="no token 4711"))
    assert "4711" not in str(refusal.value)


def test_a_service_account_needs_an_address() -> None:
    with pytest.raises(TaskFailedError, match="no server URL") as refusal:
        access_of(connection(url="", apitoken=JWT))
    assert "--url https://HOST:6443" in refusal.value.do


@pytest.mark.parametrize(("scheme", "told"), [("Token", "apitoken=@FILE"), ("Kubernetes", "kubeconfig=@FILE")])
def test_without_credentials_it_is_said_how_to_give_them(scheme: str, told: str) -> None:
    with pytest.raises(TaskFailedError) as refusal:
        access_of(connection(scheme))
    assert told in refusal.value.do


def test_a_kubeconfig_without_credentials_is_told() -> None:
    with pytest.raises(TaskFailedError, match="has no credentials"):
        access_of(of_kubeconfig({}))


def test_the_namespace_of_the_connection_goes_first() -> None:
    assert access_of(of_kubeconfig()).namespace == "shop"
    assert access_of(of_kubeconfig(namespace="other")).namespace == "other"


def test_tasks_receive_a_service_account_in_the_form_that_their_packages_read() -> None:
    prepared = prepare(connection(apitoken=secret_object()))
    assert prepared.secret("apitoken") == Secret(encoded(JWT))
    assert prepared.secret("serviceAccountCertificate") == Secret(encoded(PEM))
    assert prepared.text("authorizationType") == "ServiceAccount"
    assert Secret(JWT) in set(prepared.secrets())
    assert access_of(prepared) == access_of(connection(apitoken=secret_object()))


def test_tasks_receive_a_kubeconfig_that_has_the_chosen_context_alone() -> None:
    user = {"client-certificate-data": encoded(PEM), "client-key-data": encoded(KEY)}
    prepared = prepare(of_kubeconfig(user))
    text = prepared.secret("kubeconfig")
    assert text is not None
    content = yaml.safe_load(text.reveal())
    assert [one["name"] for one in content["contexts"]] == ["here"]
    assert prepared.text("authorizationType") == "Kubeconfig"
    assert prepared.url == SERVER
    assert Secret(KEY) in set(prepared.secrets())
    assert prepare(prepared) == prepared


def test_a_secret_shows_in_no_text_of_a_prepared_connection() -> None:
    for given in (of_kubeconfig(), connection(apitoken=JWT)):
        assert JWT not in repr(prepare(given))
        assert TOKEN not in repr(prepare(given))
        assert TOKEN not in repr(access_of(given))


@pytest.mark.parametrize("seconds", ["599", "a", "-1", "9" * 12])
def test_the_life_of_a_bound_token_is_checked(seconds: str) -> None:
    given = connection(apitoken=JWT, boundServiceAccount="shop/deployer", boundTokenSeconds=seconds)
    with pytest.raises(TaskFailedError, match="boundTokenSeconds"):
        access_of(given)


def test_an_aks_connection_with_a_token_of_its_set_up_is_used_like_a_service_account() -> None:
    given = connection(
        "Kubernetes",
        authorizationType="AzureSubscription",
        apiToken=encoded(JWT),
        serviceAccountCertificate=encoded(PEM),
    )
    assert access_of(given).token == Secret(JWT)


@pytest.mark.parametrize(
    ("values", "told"),
    [({}, "names no AKS cluster"), ({"clusterId": "/subscriptions/1"}, "nothing to ask Azure with")],
)
def test_an_aks_connection_says_what_is_missing(values: dict[str, str], told: str) -> None:
    with pytest.raises(TaskFailedError, match=told):
        access_of(connection("Kubernetes", authorizationType="AzureSubscription", **values))


def test_untrusted_certificates_are_accepted_by_the_exact_word_alone() -> None:
    assert access_of(connection(apitoken=JWT, acceptUntrustedCerts="true")).insecure
    assert not access_of(connection(apitoken=JWT, acceptUntrustedCerts="yes")).insecure


def test_the_type_has_the_schemes_and_keys_of_azure_pipelines() -> None:
    assert [scheme.name for scheme in KUBERNETES.schemes] == ["Kubernetes", "Token"]
    host = installed()
    assert {"kubernetes"} <= set(host.types) & set(host.verifiers) & set(host.preparations)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("clusterId", "my-cluster", "ARM id"),
        ("boundServiceAccount", "deployer", "NAMESPACE/NAME"),
        ("namespace", "No Such Name", "no name of a namespace"),
        ("authorizationType", "Basic", "Authorization Type"),
    ],
)
def test_values_are_checked_when_they_are_entered(key: str, value: str, told: str) -> None:
    values: dict[Key, str] = {("data", key): value}
    secrets: dict[Key, Secret] = {("parameters", "apitoken"): Secret(JWT)}
    with pytest.raises(ConnectionInvalidError, match=told):
        fit(KUBERNETES, "Token", SERVER, Entered(values=values, secrets=secrets))


def test_a_token_is_prepared_anew_only_once() -> None:
    prepared = prepare(connection(apitoken=JWT))
    assert prepare(prepared) == prepared
