from __future__ import annotations

import pytest
from tests.real.docker.conftest import Registry

from sluice.plugin import VerificationError
from sluice_docker import verify_registry

pytestmark = pytest.mark.real


@pytest.fixture
def trusted(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(registry.authority.path))
    return registry


def test_a_registry_accepts_its_user(trusted: Registry) -> None:
    assert verify_registry(trusted.connection()) == f"{trusted.host} accepts the user builder"


def test_a_wrong_password_is_told(trusted: Registry) -> None:
    with pytest.raises(VerificationError, match="does not accept the user name and password"):
        verify_registry(trusted.connection(password="wrong-7a21"))


def test_a_certificate_that_nobody_trusts_is_told(registry: Registry) -> None:
    with pytest.raises(VerificationError, match=r"certificate of .* is not trusted"):
        verify_registry(registry.connection())


def test_a_wrong_address_is_told(trusted: Registry) -> None:
    with pytest.raises(VerificationError, match="refused the connection"):
        verify_registry(trusted.connection(host="127.0.0.1:1"))
