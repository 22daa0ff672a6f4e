from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from tests.doubles.web import Double, served


@pytest.fixture
def serve() -> Iterator[Callable[[Double], None]]:
    """Starts contract doubles; at the end none of them may have complained."""
    doubles: list[Double] = []
    with ExitStack() as running:

        def begin(double: Double) -> None:
            running.enter_context(served(double))
            doubles.append(double)

        yield begin
    assert [complaint for double in doubles for complaint in double.complaints] == []
