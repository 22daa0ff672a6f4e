"""What plugins declare."""

from __future__ import annotations

import pytest

from sluice.hooks import declaration, spec
from sluice.hooks.declaration import ConnectionType, Scheme


def test_schemes_are_found_in_any_case() -> None:
    kind = ConnectionType("x", "X", schemes=(Scheme("Token", "Token"),))
    assert kind.scheme("TOKEN") is kind.schemes[0]
    assert kind.scheme("None") is None


@pytest.mark.parametrize("name", sorted(name for name in vars(spec) if name.startswith("sluice_")))
def test_every_hook_says_when_it_is_called_and_is_typed(name: str) -> None:
    hook = getattr(spec, name)
    assert (hook.__doc__ or "").startswith("Called")
    assert "return" in hook.__annotations__


@pytest.mark.parametrize("name", ["Field", "Scheme", "Url", "ConnectionType", "Input", "Task", "Family"])
def test_declarations_do_not_change_once_made(name: str) -> None:
    kind = getattr(declaration, name)
    assert kind.__dataclass_params__.frozen
    assert kind.__doc__
