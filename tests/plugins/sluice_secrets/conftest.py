from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.doubles.vault import Vault
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


@pytest.fixture
def vault(serve: Callable[[Double], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Vault:
    """A vault that this process is set up for, and no other."""
    double = Vault()
    serve(double)
    for name in list(os.environ):
        if name.startswith(("VAULT_", "SLUICE_VAULT_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SLUICE_VAULT_ADDR", double.url)
    monkeypatch.setenv("SLUICE_VAULT_TOKEN", double.token)
    return double
