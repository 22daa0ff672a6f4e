"""Subversion: `svn info` of the repository, the password on standard input."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from urllib.parse import urlsplit

from sluice.plugin import Connection, VerificationError, check_host
from sluice_source._words import printable

SECONDS = 30
PORTS = {"https": 443, "http": 80, "svn": 3690}
_CODE = re.compile(r"\bE(\d{6})\b")
_REASONS = (
    ({"170001", "215004"}, "the server does not accept the user name and password"),
    ({"230001"}, "the server's certificate is not trusted"),
    ({"120171", "120170"}, "no TLS connection to the server came about"),
    ({"175013", "220004"}, "the server knows who asks, but forbids the repository"),
    ({"670002", "670008", "670003"}, "the host name was not resolved"),
    ({"000111"}, "the server refused the connection"),
    ({"000110", "175012"}, "the server did not answer in time"),
    (
        {
            "160013",
            "170000",
            "200009",
            "180001",
            "210005",
            "175003",
        },  # the last: a web server, with no Subversion there
        "there is no such repository at this URL",
    ),
)


def verify(connection: Connection) -> str:
    """Answer which repository there is; raises `VerificationError` that tells the reasons apart."""
    parts = urlsplit(connection.url)
    if parts.scheme not in PORTS or not parts.hostname:
        raise VerificationError(
            f"a connection to '{parts.scheme}://' cannot be verified",
            where=connection.name,
            why="https, http or svn can",
        )
    check_host(parts.hostname, parts.port or PORTS[parts.scheme], name=connection.name)
    program = shutil.which("svn")
    if program is None:
        raise VerificationError(
            "svn is not installed", where=connection.name, do="install it with: apt-get install subversion"
        )
    done = _info(connection, program)
    if done.returncode:
        raise _refused(connection, done.stderr)
    found = dict(line.partition(": ")[::2] for line in done.stdout.splitlines())
    who = connection.text("username")
    return f"{found.get('Repository Root', connection.url)} is at revision {found.get('Revision', '?')} for {who}"


def _info(connection: Connection, program: str) -> subprocess.CompletedProcess[str]:
    username, password = connection.text("username"), connection.secret("password")
    arguments = [program, "info", "--non-interactive", "--no-auth-cache"]
    if connection.text("acceptUntrustedCerts") == "true":
        arguments.append("--trust-server-cert-failures=unknown-ca,cn-mismatch,expired,not-yet-valid,other")
    if username:
        arguments += ["--username", username, "--password-from-stdin"]
    try:
        with tempfile.TemporaryDirectory() as folder:  # neither the person's settings nor their cached passwords
            return subprocess.run(
                [*arguments, "--config-dir", folder, "--", f"{connection.url}@"],
                input=password.reveal() if username and password else "",
                env={**os.environ, "LC_ALL": "C.UTF-8"},
                capture_output=True,
                text=True,
                errors="replace",
                timeout=SECONDS,
                check=False,
            )
    except subprocess.TimeoutExpired:
        raise VerificationError("the server did not answer in time", where=connection.name) from None


def _refused(connection: Connection, said: str) -> VerificationError:
    codes = set(_CODE.findall(said))
    what = next((text for known, text in _REASONS if codes & known), "the repository cannot be asked for")
    lines = [line.removeprefix("svn: ") for line in said.splitlines() if line.startswith("svn: E")]
    why = printable(lines[-1] if lines else said.strip(), most=300)
    return VerificationError(what, where=connection.name, why=why)
