"""GitHub's API for tasks: questions about one repository, page by page, files up and down."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import quote

from sluice.plugin import Answer, CanceledError, Connection, Probe, Secret, TaskFailedError, TaskRun
from sluice_source._github import BODY, HEADERS, api
from sluice_source._words import printable

MAX_PAGES = 100
UPLOADS = {"https://api.github.com:443": "https://uploads.github.com:443"}
"""Where files go up for an API; an Enterprise Server takes them at its own address."""
_REPOSITORY = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")
_NEXT = re.compile(r'<([^<>]*)>\s*;[^,<]*\brel="next"')


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository of GitHub as the token of a connection sees it; paths are below `repos/OWNER/NAME/`."""

    connection: Connection
    name: str

    def ask(self, path: str, *, method: str = "GET", body: object = None) -> Answer:
        """Whatever GitHub answers; `body` is sent as JSON."""
        return self.probe().ask(
            f"{self.root}{path}",
            method=method,
            body=b"" if body is None else json.dumps(body).encode(),
            limit=BODY,
            follow=method == "GET",
        )

    def json(self, path: str, *, method: str = "GET", body: object = None) -> Any:
        """The JSON value of a success; raises `TaskFailedError` that tells why there is none."""
        return self.checked(self.ask(path, method=method, body=body))

    def pages(self, path: str) -> Iterator[Mapping[str, Any]]:
        """The objects of a list that comes in pages."""
        url = f"{self.root}{path}"
        origin = self.probe().origin(url)
        for _ in range(MAX_PAGES):
            answer = self.probe().ask(url, limit=BODY)
            found = self.checked(answer)
            yield from (one for one in found if isinstance(one, dict)) if isinstance(found, list) else ()
            more = _NEXT.search(answer.headers.get("link", ""))
            if not more:
                return
            url = more[1]
            if self.probe().origin(url) != origin:  # the token is for GitHub alone
                raise TaskFailedError("GitHub names a next page at another address", where=self.connection.name)

    def query(self, text: str) -> Answer:
        """What GraphQL answers."""
        root = api(self.connection)
        url = f"{root.removesuffix('v3/')}graphql"
        return self.probe().ask(url, method="POST", body=json.dumps({"query": text}).encode(), limit=BODY)

    def upload(self, url: str, file: Path, kind: str, check: Callable[[], None]) -> Answer:
        """Send a file to where a release takes assets; `check` may raise between pieces."""
        probe = dataclasses.replace(self.probe(), headers={**HEADERS, "Content-Type": kind})
        place, own = str(probe.origin(url)), str(probe.origin(self.root))
        if place not in {own, UPLOADS.get(own)}:
            raise TaskFailedError(f"files would go to {place}, which is not GitHub's", where=self.connection.name)
        size = file.stat().st_size
        with file.open("rb") as content:
            body = cast("IO[bytes]", _Watched(content, size, check)) if size else b""
            return probe.ask(url, method="POST", body=body, limit=BODY)

    def download(self, asset: int, sink: Callable[[bytes], None]) -> Answer:
        """An asset of a release; where GitHub keeps it elsewhere, that place is not shown the token."""
        headers = {**HEADERS, "Accept": "application/octet-stream"}
        probe = dataclasses.replace(self.probe(), headers=headers)
        answer = probe.ask(f"{self.root}releases/assets/{asset}", sink=sink, limit=BODY, follow=False)
        place = answer.headers.get("location")
        if answer.status not in {301, 302, 303, 307, 308} or not place:
            return answer
        return Probe(connection=self.connection).ask(place, sink=sink)

    def checked(self, answer: Answer) -> Any:
        """The JSON value of a success; raises `TaskFailedError` that tells why there is none."""
        if not answer.ok:
            raise self.refusal(answer)
        return answer.json() if answer.body else {}

    def refusal(self, answer: Answer) -> TaskFailedError:
        """Why GitHub refused, in its own words where it has some."""
        body = answer.json()
        said = printable(body.get("message"), most=300) if isinstance(body, dict) and body.get("message") else ""
        why = f"{answer.shown}: {said}" if said else answer.shown
        what, do = "GitHub answered with an error", ""
        if answer.status == 401:
            what = "GitHub does not accept the credentials: they are wrong, expired or revoked"
        elif answer.status in {403, 429} and answer.headers.get("x-ratelimit-remaining") == "0":
            what = "GitHub answers no more questions for now: the rate limit is used up"
        elif answer.status == 403:
            what, do = "the token lacks a scope or permission", "it takes 'repo', or 'Contents' and 'Issues' to write"
        elif answer.status == 404:
            what = f"{self.name} is not there, or has no such thing, or the token does not see it"
        return TaskFailedError(what, where=self.connection.name, why=why, do=do)

    def probe(self) -> Probe:
        keys = ("AccessToken", "apitoken", "InstallationAccessToken")
        token = next((found for key in keys if (found := self.connection.secret(key))), None)
        if not token:
            raise TaskFailedError(f"Invalid GitHub service endpoint: {self.connection.name}.", why="it has no token")
        return Probe(
            connection=self.connection,
            authorization=Secret(f"Bearer {token.reveal()}"),
            headers=HEADERS,
            trust_any_certificate=self.connection.text("acceptUntrustedCerts") == "true",
        )

    @property
    def root(self) -> str:
        return f"{api(self.connection)}repos/{self.name}/"


def repository(run: TaskRun, connection: str, name: str) -> Repository:
    """The repository that two inputs name; raises `TaskFailedError` when it is none."""
    written = run.required(name).strip().strip("/")
    if not _REPOSITORY.fullmatch(written) or any(set(part) == {"."} for part in written.split("/")):
        raise TaskFailedError(
            f"{name} is written as owner/repository", where=run.task, why=f"it is '{printable(written)}'"
        )
    return Repository(run.connection(connection), written)


def segment(text: str) -> str:
    """A tag or a branch as a part of an address; slashes stay."""
    if any(part in {".", ".."} for part in text.split("/")):
        raise TaskFailedError(f"'{printable(text)}' is no name of a branch or a tag")
    return quote(text, safe="/")


def stop_when_canceled(run: TaskRun) -> Callable[[], None]:
    """A check for between pieces; raises `CanceledError`."""

    def check() -> None:
        if run.canceled:
            raise CanceledError("canceled")

    return check


class _Watched:
    """A file that is read piece by piece until a check says no."""

    def __init__(self, file: IO[bytes], size: int, check: Callable[[], None]) -> None:
        self._file = file
        self._size = size
        self._check = check

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        while piece := self.read(1 << 16):
            yield piece

    def read(self, size: int = -1) -> bytes:
        self._check()
        return self._file.read(size)
