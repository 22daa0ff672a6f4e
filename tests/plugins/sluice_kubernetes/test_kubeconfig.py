from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.plugins.sluice_kubernetes.conftest import KEY, PEM, SERVER, TOKEN, encoded, kubeconfig

from sluice.plugin import Secret
from sluice.runtime.masking import Masker
from sluice_kubernetes._access import Access
from sluice_kubernetes._kubeconfig import Kubeconfig, KubeconfigError, read_kubeconfig


def read(content: object, **options: Any) -> Kubeconfig:
    text = content if isinstance(content, str) else yaml.safe_dump(content)
    return read_kubeconfig(Secret(text), where="cluster", **options)


def test_the_current_context_is_read() -> None:
    access = read(kubeconfig()).access
    assert access == Access(server=SERVER, authority=PEM, namespace="shop", context="here", token=Secret(TOKEN))


def test_a_client_certificate_is_read() -> None:
    user = {"client-certificate-data": encoded(PEM), "client-key-data": encoded(KEY)}
    access = read(kubeconfig(user)).access
    assert (access.certificate, access.key) == (Secret(PEM), Secret(KEY))


def test_what_is_read_is_written_anew_and_reads_the_same() -> None:
    user = {"client-certificate-data": encoded(PEM), "client-key-data": encoded(KEY), "token": TOKEN}
    access = read(kubeconfig(user, **{"tls-server-name": "inner"})).access
    text = access.kubeconfig().reveal()
    assert read(text).access == access
    assert "other" not in text
    assert "/ca" not in text


def test_another_context_can_be_chosen_and_its_files_are_refused() -> None:
    with pytest.raises(KubeconfigError, match="'certificate-authority' names a file"):
        read(kubeconfig(), context="other")


def test_a_context_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(KubeconfigError, match=r"no context 'production'.*it has: here, other"):
        read(kubeconfig(), context="production")


def test_without_a_current_context_one_has_to_be_named() -> None:
    content = kubeconfig()
    del content["current-context"]
    with pytest.raises(KubeconfigError, match="no current context") as refusal:
        read(content)
    assert "clusterContext=NAME" in refusal.value.do


@pytest.mark.parametrize(
    ("user", "told"),
    [
        ({"tokenFile": "/etc/shadow"}, "'tokenFile' names a file"),
        ({"client-certificate": "/etc/shadow", "client-key": "/etc/shadow"}, "'client-certificate' names a file"),
        (
            {"auth-provider": {"name": "gcp", "config": {"cmd-path": "/bin/sh"}}},
            "'auth-provider' of the user is refused",
        ),
        ({"token": TOKEN, "as": "system:admin"}, "'as' of the user is refused"),
        ({"token": TOKEN, "as-groups": ["system:masters"]}, "'as-groups' of the user is refused"),
        ({"token": TOKEN, "credential": 1}, "the user has a key 'credential', which no kubeconfig has"),
        ({"token": ["a"]}, "'token' of the user is no text"),
        ({"client-certificate-data": encoded(PEM)}, "one of them is missing"),
        ({"client-certificate-data": "%%%", "client-key-data": encoded(KEY)}, "is not the base64 of a text"),
        ({"client-certificate-data": encoded("x"), "client-key-data": encoded(KEY)}, "is no PEM text"),
    ],
)
def test_what_a_user_may_not_say_is_refused(user: dict[str, Any], told: str) -> None:
    with pytest.raises(KubeconfigError, match=told) as refusal:
        read(kubeconfig(user))
    assert TOKEN not in str(refusal.value)
    assert refusal.value.where == "cluster"


@pytest.mark.parametrize(
    ("cluster", "told"),
    [
        ({"certificate-authority": "/etc/shadow"}, "'certificate-authority' names a file"),
        ({"proxy-url": "http://evil.example.org"}, "'proxy-url' of the cluster is refused"),
        ({"insecure-skip-tls-verify": True}, "'insecure-skip-tls-verify' is refused"),
        ({"insecure-skip-tls-verify": "true"}, "neither true nor false"),
        ({"server": "file:///etc/passwd"}, "no https:// URL"),
        ({"server": "https://me:pw-123@cluster"}, "more than a host, a port and a path"),
        ({"server": "https://cluster:port"}, "is no URL"),
        ({"server": None}, "no https:// URL"),
        ({"certificate-authority-data": encoded("no certificate")}, "is no PEM text"),
    ],
)
def test_what_a_cluster_may_not_say_is_refused(cluster: dict[str, Any], told: str) -> None:
    with pytest.raises(KubeconfigError, match=told) as refusal:
        read(kubeconfig(**cluster))
    assert "pw-123" not in str(refusal.value)


def test_skipped_verification_needs_the_flag_of_the_connection() -> None:
    cluster: dict[str, Any] = {"insecure-skip-tls-verify": True, "certificate-authority-data": None}
    content = kubeconfig(**cluster)
    with pytest.raises(KubeconfigError) as refusal:
        read(content)
    assert "acceptUntrustedCerts=true" in refusal.value.do
    access = read(content, accept_untrusted=True).access
    assert access.insecure
    assert yaml.safe_load(access.kubeconfig().reveal())["clusters"][0]["cluster"] == {
        "server": SERVER,
        "insecure-skip-tls-verify": True,
    }


def test_a_program_is_read_but_not_run() -> None:
    program = {"apiVersion": "client.authentication.k8s.io/v1", "command": "/bin/touch", "args": ["/tmp/was-run"]}
    read_one = read(kubeconfig({"exec": program | {"env": [{"name": "AWS_PROFILE", "value": "team"}]}}))
    assert read_one.exec is not None
    assert read_one.exec.arguments == ("/tmp/was-run",)
    assert read_one.exec.environment == {"AWS_PROFILE": "team"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("just text", "no YAML mapping"),
        ("a: [", "no YAML"),
        ("apiVersion: v2", "no kubeconfig"),
        ("kind: Secret", "no kubeconfig"),
        ("exec: /bin/sh", "has a key 'exec'"),
        ("clusters: {a: 1}\ncurrent-context: here", "'clusters' of the kubeconfig is no list|no context"),
        ("contexts: [1]\ncurrent-context: here", "has no name"),
        ("contexts: [{name: here, context: [1]}]\ncurrent-context: here", "is no mapping"),
        ("a: &a [1]\nb: [*a, *a]", "aliases"),
        ("!!python/object/apply:os.system ['true']", "no YAML"),
        ("[" * 5000, "no YAML"),
        ("x" * 63_001, "longer than 63000"),
    ],
)
def test_what_is_no_kubeconfig_is_told(text: str, told: str) -> None:
    with pytest.raises(KubeconfigError, match=told):
        read(text)


def test_an_error_of_the_text_shows_none_of_it() -> None:
    with pytest.raises(KubeconfigError) as refusal:
        read(f"users: [{{token: {TOKEN}")
    assert TOKEN not in str(refusal.value)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=20), inner, max_size=3),
    max_leaves=10,
)
KEYS = ["apiVersion", "kind", "clusters", "users", "contexts", "current-context", "name", "cluster", "user", "exec"]


@given(st.dictionaries(st.sampled_from(KEYS), VALUES) | st.text())
def test_whatever_the_text_is_it_is_read_or_refused(content: Any) -> None:
    text = content if isinstance(content, str) else json.dumps(content)
    try:
        assert read(text).access.server.startswith("http")
    except KubeconfigError as error:
        assert error.what  # noqa: PT017  # either of the two is right


@given(st.sampled_from(["cluster", "user", "context"]), st.text(max_size=20), VALUES)
def test_no_key_goes_through_that_is_not_known(kind: str, key: str, value: Any) -> None:
    content = kubeconfig()
    content[f"{kind}s"][0][kind][key] = value
    try:
        written = read(json.dumps(content)).access.kubeconfig().reveal()
    except KubeconfigError:
        return
    known = {"cluster": {"server", "certificate-authority-data", "insecure-skip-tls-verify", "tls-server-name"},
             "user": {"token", "username", "password", "client-certificate-data", "client-key-data"},
             "context": {"cluster", "user", "namespace"}}  # fmt: skip
    assert set(yaml.safe_load(written)[f"{kind}s"][0][kind]) <= known[kind]


def test_a_kubeconfig_in_a_mask_leaves_names_in_the_log() -> None:
    masker = Masker()
    access = read(kubeconfig()).access
    masker.add(access.kubeconfig().reveal())
    for secret in access.secrets():
        masker.add(secret.reveal())
    said = masker.mask_text(f"{SERVER}: pod in shop is here, of kind Config, users: clusters: {TOKEN}")
    assert said == f"{SERVER}: pod in shop is here, of kind Config, users: clusters: ***"
