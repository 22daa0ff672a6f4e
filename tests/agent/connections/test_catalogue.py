"""Connection types as people write them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sluice.connections.catalogue import Catalogue, choose_scheme, fields_of, find_field
from sluice.errors import ConnectionInvalidError, NotFoundError
from sluice.hooks.declaration import ConnectionType


def test_types_are_found_in_any_case(depot: ConnectionType) -> None:
    catalogue = Catalogue({"depot": depot})
    assert catalogue.get(" DEPOT ") is depot
    assert catalogue.find("dpeot") is None
    assert catalogue.all() == (depot,)


def test_an_unknown_type_gets_the_nearest_name(depot: ConnectionType) -> None:
    with pytest.raises(NotFoundError, match="did you mean 'Depot'"):
        Catalogue({"depot": depot}).get("dpeot")
    with pytest.raises(NotFoundError, match="is its plugin installed"):
        Catalogue({}).get("x")


def test_a_scheme_belongs_to_its_fields(depot: ConnectionType) -> None:
    scheme = choose_scheme(depot, "BASIC")
    fields = fields_of(depot, scheme)
    assert find_field(fields, "Username") == ("parameters", "username")
    assert find_field(fields, "apitoken") is None
    assert find_field(fields, "DATA.region") == ("data", "Region")


def test_of_several_schemes_one_is_named_unless_the_type_has_a_default(depot: ConnectionType) -> None:
    first, second = depot.schemes[0], replace(depot.schemes[0], name="Other")
    several = replace(depot, schemes=(first, second))
    with pytest.raises(ConnectionInvalidError, match="has several authentication schemes"):
        choose_scheme(several, "")
    assert choose_scheme(replace(several, default_scheme="other"), "") is second
    assert choose_scheme(replace(several, default_scheme="other"), first.name) is first


def test_the_installed_types_are_those_of_the_bundled_plugins() -> None:
    assert {"generic", "ssh"} <= {kind.name for kind in Catalogue.installed().all()}
