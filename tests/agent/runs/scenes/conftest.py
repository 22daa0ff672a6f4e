"""Scenes of the model-based test: the deep situations that chance comes to too seldom, played step by step.

Each says what has to come of it; what holds always is asserted by the model itself whenever something is opened.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.agent.runs.scenes.scene import Scene

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """In memory where that can be had: every transaction waits for its disk."""
    shared = Path("/dev/shm")  # a folder of its own is made there
    where = shared if os.access(shared, os.W_OK) else tmp_path_factory.mktemp("scenes")
    with tempfile.TemporaryDirectory(dir=where) as folder:
        yield Path(folder)


@pytest.fixture
def scene(memory: Path) -> Iterator[Scene]:
    made = Scene(memory)
    yield made
    made.close()
