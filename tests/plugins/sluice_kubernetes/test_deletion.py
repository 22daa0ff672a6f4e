from __future__ import annotations

import pytest

from sluice.plugin import TaskFailedError
from sluice_kubernetes._deletion import parse_deletion


def test_arguments_are_read_in_every_spelling() -> None:
    asked = parse_deletion("deployments web -l app=web --grace-period=3 --ignore-not-found -f a.yml,b.yml -n shop", "t")
    assert asked.names == ["deployments", "web"]
    assert asked.files == ["a.yml", "b.yml"]
    assert asked.options == {"selector": "app=web", "grace": "3", "missing_is_fine": "true", "namespace": "shop"}
    assert asked.has("missing_is_fine")
    assert not parse_deletion("a/b --ignore-not-found=false", "t").has("missing_is_fine")


@pytest.mark.parametrize(("arguments", "told"), [("", "not supplied"), ("a/b --purge", "'--purge' is not supported")])
def test_what_is_not_understood_is_told(arguments: str, told: str) -> None:
    with pytest.raises(TaskFailedError, match=told):
        parse_deletion(arguments, "t")
