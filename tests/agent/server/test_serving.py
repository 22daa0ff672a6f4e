"""`sluice serve` with TLS: what it listens on, how its link signs in, and that nothing of it is kept."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from tests.doubles.certificates import Authority

SECONDS = 60.0


def test_with_a_certificate_it_speaks_tls_and_its_link_signs_in_once(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue("server", tmp_path)
    command = ["serve", "--port", "0", "--tls-certificate", str(certificate), "--tls-key", str(key)]
    process = subprocess.Popen(
        [sys.executable, "-m", "sluice", *command],
        env={**os.environ, "SLUICE_HOME": str(tmp_path / "home")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        lines = [process.stdout.readline() for _ in range(3)]
        link = lines[2].strip()
        assert link.startswith("https://127.0.0.1:"), lines
        trusting = ssl.create_default_context(cafile=str(authority.path))
        with httpx2.Client(verify=trusting, trust_env=False, timeout=SECONDS) as client:
            answer = client.get(link)
            cookie = answer.headers["set-cookie"]
            assert cookie.startswith("__Host-")
            assert {"Secure", "HttpOnly", "Path=/"} <= {part.strip() for part in cookie.split(";")}
            assert "samesite=strict" in cookie.casefold()
            home = client.get(link.partition("/sign-in")[0] + "/local/_apis/connectionData")
            assert home.json()["authenticatedUser"]["providerDisplayName"]
        with httpx2.Client(verify=trusting, trust_env=False, timeout=SECONDS) as other:
            assert other.get(link).status_code == 403
        with pytest.raises(httpx2.HTTPError):
            httpx2.get(link.replace("https://", "http://"), trust_env=False, timeout=SECONDS)
    finally:
        process.terminate()
        _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, errors
    assert link.rpartition("once=")[2] not in errors
