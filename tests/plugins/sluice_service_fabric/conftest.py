from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.doubles.service_fabric import Cluster
from tests.doubles.service_fabric_site import Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """At the end none of its doubles may have complained."""
    with ExitStack() as running:
        made = Site(tmp_path, running)
        yield made
    assert made.complaints() == []


@pytest.fixture
def cluster(site: Site) -> Cluster:
    made = Cluster()
    site.start(made)
    return made
