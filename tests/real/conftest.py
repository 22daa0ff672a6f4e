"""What tests against real server programs share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

SYSTEM_FOLDERS = ("/usr/sbin", "/sbin", "/usr/local/sbin")
"""Where servers lie that are not on everybody's path."""


@pytest.fixture(scope="session")
def require_program() -> Callable[[str, str], Path]:
    """Finds a program: `require_program('sshd', 'apt-get install openssh-server')`.

    Where it is missing the test is skipped with that advice, or fails when SLUICE_REQUIRE_REAL is 1.
    """

    def find(name: str, install: str) -> Path:
        found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *SYSTEM_FOLDERS]))
        if found is not None:
            return Path(found)
        reason = f"{name} is not installed; get it with: {install}"
        if os.environ.get("SLUICE_REQUIRE_REAL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)

    return find
