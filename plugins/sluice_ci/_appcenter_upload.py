"""App Center's upload service: a file goes up in chunks, and those that get lost go again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from sluice.plugin import Answer, Connection, Probe, Secret, TaskFailedError, TaskRun, VerificationError
from sluice_ci._service import BODY, Patience
from sluice_ci._words import printable

ATTEMPTS = 3
"""How often a chunk is sent at most, and how often the end is asked for."""
CONTENT_TYPES = {
    ".apk": "application/vnd.android.package-archive",
    ".aab": "application/vnd.android.package-archive",
    ".msi": "application/x-msi",
    ".plist": "application/xml",
    ".aetx": "application/c-x509-ca-cert",
    ".cer": "application/pkix-cert",
    ".xap": "application/x-silverlight-app",
    ".appx": "application/x-appx",
    ".appxbundle": "application/x-appxbundle",
    ".appxupload": "application/x-appxupload",
    ".appxsym": "application/x-appxupload",
    ".msix": "application/x-msix",
    ".msixbundle": "application/x-msixbundle",
    ".msixupload": "application/x-msixupload",
    ".msixsym": "application/x-msixupload",
}
"""What the service is told about a file, by the end of its name."""


@dataclass(frozen=True, slots=True)
class Upload:
    """Where a file goes; the token is part of addresses, encoded already."""

    domain: str
    asset: str
    token: Secret


def upload_file(run: TaskRun, connection: Connection, upload: Upload, file: Path, patience: Patience) -> None:
    """Send the whole file; raises `TaskFailedError` when the service does not take it."""
    service = _Service(connection, upload)
    size = file.stat().st_size
    kind = CONTENT_TYPES.get(file.suffix.casefold(), "application/octet-stream")
    about = service.ask("set_metadata", {"file_name": file.name, "file_size": str(size), "content_type": kind})
    length, chunks = about.get("chunk_size"), about.get("chunk_list")
    if not isinstance(length, int) or length <= 0 or not isinstance(chunks, list):
        raise TaskFailedError("Failed to complete file upload.", why="the service names no chunks")
    waiting: Sequence[Any] = chunks
    for _ in range(ATTEMPTS):
        with file.open("rb") as content:
            for number in waiting:
                patience.check()
                content.seek((int(number) - 1) * length)
                service.send(int(number), content.read(length))
                run.progress(100 * int(number) // max(len(chunks), 1), "uploaded")
        done = service.ask("finished", {})
        if done.get("state") == "Done":
            return
        waiting = done.get("missing_chunks") or ()
    raise TaskFailedError("Failed to complete file upload.", why=printable(done.get("message") or done.get("state")))


@dataclass(frozen=True, slots=True)
class _Service:
    """The upload service; it is at an address of its own and is not sent the API's token."""

    connection: Connection
    upload: Upload

    def ask(self, what: str, query: Mapping[str, str]) -> Mapping[str, Any]:
        return self._checked(self._post(what, query, b""))

    def send(self, number: int, chunk: bytes) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._checked(self._post("upload_chunk", {"block_number": str(number)}, chunk))
                return
            except (VerificationError, TaskFailedError):
                if attempt == ATTEMPTS:
                    raise

    def _post(self, what: str, query: Mapping[str, str], body: bytes) -> Answer:
        text = urlencode(query, quote_via=quote)
        token = f"token={self.upload.token.reveal()}"
        url = f"{self.upload.domain.rstrip('/')}/upload/{what}/{quote(self.upload.asset, safe='')}"
        return Probe(connection=self.connection).ask(
            f"{url}?{f'{text}&' if text else ''}{token}", method="POST", body=body, limit=BODY, follow=False
        )

    def _checked(self, answer: Answer) -> Mapping[str, Any]:
        body = answer.json()
        if not answer.ok or not isinstance(body, dict) or body.get("error") or body.get("Error"):
            why = printable(body.get("message") or answer.shown) if isinstance(body, dict) else answer.shown
            raise TaskFailedError("Failed to complete file upload.", where=self.connection.name, why=why)
        return body
