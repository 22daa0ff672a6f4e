"""Blob storage: containers and block blobs of an account, over its REST interface with an Entra token."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from urllib.parse import quote, urlencode

from sluice.plugin import Answer, Connection, Secret, TaskFailedError, TaskRun
from sluice_azure._client import Client, bearer, pause_of
from sluice_azure._identity import kept_identity

VERSION = "2021-12-02"
SCOPE = "https://storage.azure.com/.default"
BLOCK_BYTES = 16 << 20
"""Bytes of a block; a smaller file is sent at once."""

_RIGHT = "the role 'Storage Blob Data Contributor'"
_PAGES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container of a storage account, as a connection's identity reaches it."""

    name: str
    url: str
    client: Client

    @classmethod
    def of(cls, run: TaskRun, connection: Connection, account: str, name: str) -> Container:
        """The container of that name in the connection's cloud."""
        identity = kept_identity(connection)

        def authorization() -> Secret:
            return bearer(identity.token(connection, SCOPE))

        headers = {"x-ms-version": VERSION}
        client = Client(connection=connection, authorization=authorization, pause=pause_of(run), headers=headers)
        return cls(name=name, url=f"https://{account}.blob.{identity.cloud.storage}/{name}", client=client)

    def make(self) -> bool:
        """Make the container; False when it was there."""
        answer = self._ask(f"{self.url}?restype=container", method="PUT")
        if answer.status == 409:
            return False
        self._require(answer, f"the container '{self.name}' cannot be made")
        return True

    def names(self, prefix: str) -> Iterator[str]:
        """The names of the blobs that begin so."""
        import re
        from html import unescape

        marker = ""
        for _ in range(_PAGES):
            asked = {"restype": "container", "comp": "list", "prefix": prefix, **({"marker": marker} if marker else {})}
            answer = self._ask(f"{self.url}?{urlencode(asked)}")
            self._require(answer, f"the blobs of '{self.name}' cannot be listed")
            text = answer.body.decode("utf-8", "replace")
            yield from (unescape(one) for one in re.findall(r"<Blob>\s*<Name>([^<]*)</Name>", text))
            found = re.search(r"<NextMarker>([^<]+)</NextMarker>", text)
            if found is None:
                return
            marker = unescape(found[1])

    def remove(self, name: str) -> None:
        """Delete a blob; one that is gone already is none."""
        answer = self._ask(self._blob(name), method="DELETE", headers={"x-ms-delete-snapshots": "include"})
        if answer.status != 404:
            self._require(answer, f"the blob '{name}' cannot be deleted")

    def put(self, name: str, path: Path, headers: Mapping[str, str], *, checksum: bool = False) -> None:
        """Upload a file: at once when it is small, else block by block, so that no more than one is in memory."""
        with path.open("rb") as file:
            first = file.read(BLOCK_BYTES + 1)
            if len(first) <= BLOCK_BYTES:
                sent = {**headers, "x-ms-blob-type": "BlockBlob", **(_md5(first) if checksum else {})}
                answer = self.client.ask(self._blob(name), method="PUT", content=first, headers=_dated(sent, first))
                self._require(answer, f"'{path.name}' cannot be uploaded")
                return
            file.seek(0)
            self._put_blocks(name, path, file, headers)

    def _put_blocks(self, name: str, path: Path, file: io.BufferedReader, headers: Mapping[str, str]) -> None:
        ids: list[str] = []
        while block := file.read(BLOCK_BYTES):
            ids.append(base64.b64encode(f"{len(ids):08}".encode()).decode())
            url = self._blob(name, {"comp": "block", "blockid": ids[-1]})
            answer = self.client.ask(url, method="PUT", content=block, headers=_dated(_md5(block), block))
            self._require(answer, f"'{path.name}' cannot be uploaded")
        listed = "".join(f"<Latest>{one}</Latest>" for one in ids)
        body = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{listed}</BlockList>'.encode()
        sent = {key.replace("Content-Type", "x-ms-blob-content-type"): value for key, value in headers.items()}
        url = self._blob(name, {"comp": "blocklist"})
        answer = self.client.ask(url, method="PUT", content=body, headers=_dated(sent, body))
        self._require(answer, f"'{path.name}' cannot be put together")

    def _ask(self, url: str, *, method: str = "GET", headers: Mapping[str, str] | None = None) -> Answer:
        return self.client.ask(url, method=method, headers=_dated(headers or {}, b""))

    def _blob(self, name: str, asked: Mapping[str, str] | None = None) -> str:
        return f"{self.url}/{quote(name, safe='/')}{f'?{urlencode(asked)}' if asked else ''}"

    def _require(self, answer: Answer, what: str) -> None:
        if answer.ok:
            return
        code = answer.headers.get("x-ms-error-code", "")
        do = ""
        if answer.status in {401, 403}:
            do = f"give the connection's principal {_RIGHT} of the storage account; its firewall counts, too"
        elif answer.status == 404:
            do = "check the names of the storage account and the container"
        raise TaskFailedError(what, where=self.client.connection.name, why=code or answer.shown, do=do)


def _dated(headers: Mapping[str, str], content: bytes) -> dict[str, str]:
    return {**headers, "x-ms-date": formatdate(usegmt=True), **({} if content else {"Content-Length": "0"})}


def _md5(content: bytes) -> dict[str, str]:
    """The checksum that the service compares what it got with."""
    digest = hashlib.md5(content, usedforsecurity=False).digest()
    return {"Content-MD5": base64.b64encode(digest).decode()}
