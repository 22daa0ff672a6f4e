"""Pushes NuGet packages by the feed's own protocol: neither `nuget` nor `dotnet` takes an API key but as an argument."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from sluice.plugin import Answer, CanceledError, Connection, Probe, Secret, TaskFailedError, TaskRun
from sluice_packages._login import login_of
from sluice_packages._words import printable

PUBLISH = "PackagePublish/2.0.0"
BODY = 8 << 20
NUGET_ORG = {"api.nuget.org", "www.nuget.org"}
"""The index of nuget.org is at the one host, and packages are pushed to the other."""
ANY_KEY = "AzureArtifacts"
"""What servers that know who asks are shown for an API key, which they want but do not look at."""
_COPY = 1 << 20


def push(run: TaskRun, connection: Connection, files: Sequence[Path], *, skip_existing: bool = False) -> None:
    """Push each package; raises `TaskFailedError` for the first that is refused."""
    feed = _Feed(run, connection)
    for file in files:
        if run.canceled:
            raise CanceledError("canceled while packages were pushed")
        run.say(f"Pushing {file.name} to '{feed.address}'...")
        answer = feed.put(file)
        if answer.ok:
            run.say("Your package was pushed.")
        elif answer.status == 409 and skip_existing:
            run.warn(f"{file.name} is there already; it is skipped.")
        else:
            raise feed.refusal(file, answer)


def packages(run: TaskRun, pattern: str) -> Sequence[Path]:
    """The packages that a step's patterns name, without those of symbols beside a package."""
    found: list[Path] = []
    for one in pattern.replace(";", "\n").splitlines():
        if one.strip():
            found += run.files(run.sources, [_relative(run, one.strip())])
    chosen = [file for file in dict.fromkeys(found) if not file.name.endswith(".symbols.nupkg")]
    if not chosen:
        raise TaskFailedError(f"No packages matched the search pattern: {pattern}", where=run.task)
    return chosen


def _relative(run: TaskRun, pattern: str) -> str:
    """A pattern within the sources, however it was written."""
    root = f"{run.sources}/"
    return pattern.removeprefix(root) if pattern.startswith(root) else pattern


class _Feed:
    """Where packages are pushed to, and with what."""

    def __init__(self, run: TaskRun, connection: Connection) -> None:
        self._connection = connection
        headers = {"X-NuGet-ApiKey": ANY_KEY, "X-NuGet-Protocol-Version": "4.1.0", "Accept": "application/json"}
        authorization: Secret | None = None
        if connection.scheme.casefold() == "none":
            key = connection.secret("nugetkey")
            if not key:
                raise TaskFailedError("the connection has no API key", where=connection.name)
            headers["X-NuGet-ApiKey"] = key.reveal()
        else:
            authorization = login_of(connection, user="AzureDevOps").basic
        self._boundary = secrets.token_hex(16)
        headers["Content-Type"] = f"multipart/form-data; boundary={self._boundary}"
        # an API key is for the feed's own place: the service index may name another, which is refused below
        self._probe = Probe(connection=connection, authorization=authorization, headers=headers)
        self._temp = run.temp
        self.address = self._find(authorization)

    def put(self, file: Path) -> Answer:
        """Send one package, as a form with one file."""
        with tempfile.TemporaryFile(dir=self._temp) as body:
            head = f'--{self._boundary}\r\nContent-Disposition: form-data; name="package"; filename="package.nupkg"\r\n'
            body.write(f"{head}Content-Type: application/octet-stream\r\n\r\n".encode())
            with file.open("rb") as content:
                _copy(content, body)
            body.write(f"\r\n--{self._boundary}--\r\n".encode())
            body.seek(0)
            return self._probe.ask(self.address, method="PUT", body=body, limit=BODY)

    def refusal(self, file: Path, answer: Answer) -> TaskFailedError:
        where = self._connection.name
        texts = {
            401: "the feed does not accept the credentials",
            403: "the feed does not accept the API key, or it may not push this package",
            404: f"there is nothing to push to at {printable(self.address, most=300)}",
            409: f"{file.name} is there already",
            413: f"{file.name} is too large for the feed",
        }
        what = texts.get(answer.status, f"the feed refused {file.name}")
        return TaskFailedError(what, where=where, why=answer.shown)

    def _find(self, authorization: Secret | None) -> str:
        """The place to push to: that of the service index (v3), else the feed's own (v2)."""
        url = self._connection.url
        if not url.casefold().rstrip("/").endswith("index.json"):
            return _of_version_2(url)
        index = Probe(connection=self._connection, authorization=authorization)
        answer = index.ask(url, limit=BODY)
        body = answer.json()
        listed = body.get("resources") if answer.ok and isinstance(body, dict) else None
        for one in listed if isinstance(listed, list) else []:
            if isinstance(one, dict) and one.get("@type") == PUBLISH and isinstance(one.get("@id"), str):
                return self._own(str(one["@id"]), answer)
        if answer.status == 401:
            raise TaskFailedError("the feed does not accept the credentials", where=self._connection.name)
        what = "the feed's service index names no place to push to"
        raise TaskFailedError(what, where=self._connection.name, why=answer.shown)

    def _own(self, place: str, answer: Answer) -> str:
        """The place, when it belongs to who serves the index: credentials go no further than that."""
        ours, theirs = answer.origin, self._probe.origin(place)
        if theirs == ours or {theirs.host, ours.host} == NUGET_ORG:
            return place
        raise TaskFailedError(
            f"the feed's service index wants packages pushed to {theirs}",
            where=self._connection.name,
            why="credentials are not sent to another place than the connection's",
            do=f"if that is right, make a connection with the URL {printable(place, most=300)}",
        )


def _of_version_2(url: str) -> str:
    """Where clients push to a feed without a service index: a bare host means its usual path."""
    path, base = urlsplit(url).path.rstrip("/"), url.rstrip("/")
    if not path:
        return f"{base}/api/v2/package"
    return f"{base}/package" if path.casefold().endswith("/api/v2") else f"{base}/"


def _copy(source: IO[bytes], target: IO[bytes]) -> None:
    while piece := source.read(_COPY):
        target.write(piece)
