from __future__ import annotations

import pytest

from sluice.runtime.containers.engine import Engine, EngineError


@pytest.mark.parametrize("address", ["unix:///nowhere/d.sock", "tcp://127.0.0.1:1", "nonsense://x"])
def test_an_engine_that_is_not_there_is_told(address: str) -> None:
    with pytest.raises(EngineError, match="there is no Docker engine at") as refusal:
        Engine.connect({"DOCKER_HOST": address})
    assert address in str(refusal.value)
    assert "apt-get install docker.io" in refusal.value.do
