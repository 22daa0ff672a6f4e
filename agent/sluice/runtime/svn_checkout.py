"""Checkout of a Subversion repository: one revision, the password on standard input and nowhere else."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

from sluice.errors import CanceledError, TaskFailedError
from sluice.runtime.cancellation import Cancellation
from sluice.runtime.checkout import Options
from sluice.runtime.git import collect, printable
from sluice.runtime.process import run_process
from sluice.runtime.remote import Remote
from sluice.runtime.workspace import empty
from sluice.values import dataclass

TRUSTED = "--trust-server-cert-failures=unknown-ca,cn-mismatch,expired,not-yet-valid,other"
_REVISION = re.compile(r"[0-9]{1,18}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Svn:
    """How svn is run: its own settings folder, no stored passwords, no questions."""

    environ: Mapping[str, str]
    cancellation: Cancellation
    cwd: Path
    settings: Path
    remote: Remote

    def __call__(self, command: str, *arguments: str) -> str:
        """Run it; answers what it printed. Raises `TaskFailedError`, or `CanceledError` when stopped."""
        login = self.remote.login
        how = ["--non-interactive", "--no-auth-cache", "--config-dir", os.fspath(self.settings)]
        if login.trust_any_certificate:
            how.append(TRUSTED)
        given = b""
        if login.username:
            how += ["--username", login.username, "--password-from-stdin"]
            given = login.password.reveal().encode() if login.password else b""
        pieces: list[bytes] = []
        errors: list[bytes] = []
        end = run_process(
            ("svn", command, *how, *arguments),
            cwd=self.cwd,
            env={**self.environ, "LC_ALL": "C.UTF-8"},
            output=collect(pieces),
            errors=collect(errors),
            given=given,
            cancellation=self.cancellation,
        )
        said = printable(b"".join(errors).decode("utf-8", "replace"))
        if self.cancellation.canceled:
            raise CanceledError("svn was stopped")
        if end.code:
            lines = [line.removeprefix("svn: ") for line in said.splitlines() if line.startswith("svn: E")]
            raise TaskFailedError(_meaning(said, self.remote), why=lines[-1] if lines else said)
        return b"".join(pieces).decode("utf-8", "replace")


@dataclass(kw_only=True)
class SvnCheckout:
    """Fills one folder from one repository; `ref` is a path below its address, `commit` a revision, both may be ''."""

    svn: Svn
    ref: str
    commit: str
    target: Path
    options: Options
    say: Callable[[str], None]

    def run(self) -> str:
        """Do it; answers the revision."""
        if shutil.which("svn", path=self.svn.environ.get("PATH")) is None:
            raise TaskFailedError("svn is not installed", do="install it: apt-get install subversion")
        address = svn_address(self.svn.remote, self.ref)
        revision = self.commit or svn_revision(self.svn, self.ref)
        if self.options.clean or not (self.target / ".svn").is_dir() or not self._same(address):
            empty(self.target)
        # Externals may lie on other servers, which must not be sent this password.
        self.svn(
            "checkout",
            "--quiet",
            "--force",
            "--ignore-externals",
            "--",
            f"{address}@{revision}",
            os.fspath(self.target),
        )
        if self.svn("propget", "--recursive", "svn:externals", "--", f"{self.target}@").strip():
            self.say("The externals (svn:externals) of this repository are left out.")
        return revision

    def _same(self, address: str) -> bool:
        try:
            return self.svn("info", "--show-item", "url", "--", f"{self.target}@").strip() == address
        except TaskFailedError:
            return False


def svn_revision(svn: Svn, ref: str) -> str:
    """The number of the newest revision of what a ref means."""
    found = svn("info", "--show-item", "last-changed-revision", "--", f"{svn_address(svn.remote, ref)}@").strip()
    if not _REVISION.match(found):
        raise TaskFailedError("svn told no revision", where=svn.remote.url)
    return found


def svn_address(remote: Remote, ref: str) -> str:
    """The address of a ref: a path such as `trunk` or `branches/1.x` below the repository's."""
    parts = [part for part in ref.strip().strip("/").split("/") if part]
    if any(part in {".", ".."} or not part.isprintable() for part in parts):
        raise TaskFailedError(f"'{ref}' is no path in a Subversion repository", do="write 'ref: trunk'")
    return "/".join([remote.url.rstrip("/"), *(quote(part) for part in parts)])


def _meaning(said: str, remote: Remote) -> str:
    if "E170001" in said or "E215004" in said:
        return f"{remote.origin} does not accept the credentials"
    if "E230001" in said:
        return f"the certificate of {remote.origin} is not trusted"
    if any(code in said for code in ("E160013", "E170000", "E200009", "E180001", "E175003")):
        return f"there is no such repository or path at {remote.url}"
    return f"{remote.origin} cannot be asked"
