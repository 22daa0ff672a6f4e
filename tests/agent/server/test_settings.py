"""What a server is asked to be is refused where it could not be reached so."""

from __future__ import annotations

import pytest

from sluice.errors import UsageError
from sluice.server.settings import ServerSettings


@pytest.mark.parametrize("name", ["a/b", "", "a b", "..", "a?b", "_apis"])
def test_an_organization_that_is_no_part_of_an_address_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="no name for an organization"):
        ServerSettings(organization=name)


@pytest.mark.parametrize("name", ["local", "Contoso-2", "name.visualstudio.com"])
def test_an_organization_is_the_first_part_of_addresses(name: str) -> None:
    assert ServerSettings(organization=name).collection_url.endswith(f"/{name}/")
