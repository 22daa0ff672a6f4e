"""What clients ask before their first call."""

from __future__ import annotations

import uuid

import pytest
from starlette.testclient import TestClient


@pytest.mark.parametrize("path", ["/local/_apis", "/_apis", "/local/_apis?allHostTypes=True"])
def test_the_table_of_locations_is_whole(client: TestClient, path: str) -> None:
    found = client.options(path).json()
    assert found["count"] == len(found["value"]) > 40
    for one in found["value"]:
        assert uuid.UUID(one["id"])
        assert all(isinstance(one[name], str) for name in ("minVersion", "maxVersion", "releasedVersion"))


def test_an_area_is_found_whatever_its_case(client: TestClient) -> None:
    areas = {one["area"] for one in client.options("/local/_apis/ServiceEndpoint").json()["value"]}
    assert areas == {"serviceendpoint"}


def test_there_are_no_areas_with_addresses_of_their_own(owner: TestClient) -> None:
    assert owner.get("/local/_apis/ResourceAreas").json() == {"count": 0, "value": None}


def test_connection_data_says_who_is_signed_in(owner: TestClient) -> None:
    found = owner.get("/local/_apis/connectionData", headers={"accept": "application/json"}).json()
    assert found["deploymentType"] == "onPremises"
    assert found["authenticatedUser"]["isActive"]
