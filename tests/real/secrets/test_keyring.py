"""Keyring references against a real Secret Service: GNOME's keyring on a session bus of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.real

SESSION = """
printf pass | gnome-keyring-daemon --unlock --components=secrets --foreground >/dev/null 2>&1 &
daemon=$!
"$1" -c "$2"
status=$?
kill $daemon
exit $status
"""
LOOK = """
import time
import keyring
from keyring.errors import KeyringError
from sluice_secrets import Keyring

for _ in range(600):  # until the daemon answers
    try:
        keyring.set_password("depot", "deploy", "keyring-secret-0815")
        break
    except KeyringError:
        time.sleep(0.05)
print(type(keyring.get_keyring()).__module__)
print(Keyring().read(["depot/deploy"], None).secrets["depot/deploy"].reveal())
try:
    Keyring().read(["depot/nobody"], None)
except Exception as error:
    print(error)
"""


def test_a_password_is_read_from_the_secret_service(
    require_program: Callable[[str, str], Path], tmp_path: Path
) -> None:
    require_program("gnome-keyring-daemon", "apt-get install gnome-keyring")
    session = require_program("dbus-run-session", "apt-get install dbus")
    folders = {name: tmp_path / name for name in ("HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR")}
    for folder in folders.values():
        folder.mkdir(mode=0o700)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DBUS_", "PYTHON_KEYRING"))}
    done = subprocess.run(
        [session, "--", "sh", "-c", SESSION, "sh", sys.executable, LOOK],
        env=kept | {name: str(folder) for name, folder in folders.items()},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.stdout.splitlines() == [
        "keyring.backends.SecretService",
        "keyring-secret-0815",
        "the keyring has no password of 'nobody' for 'depot' (store it: keyring set depot nobody)",
    ], done.stderr
