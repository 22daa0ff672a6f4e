"""What a refusal of a web service means, in the same words for all of them; waiting that a cancellation ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sluice.plugin import Answer, CanceledError, Connection, TaskRun, VerificationError
from sluice_ci._words import printable

BODY = 16 << 20
"""Answers of an API are no longer than this (bytes)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """The words for what goes wrong: the name, what is at the right address, what a refused account lacks."""

    name: str
    address: str
    permission: str

    def json(self, connection: Connection, answer: Answer, kind: type = dict) -> Any:
        """The JSON value of a success; raises `VerificationError` that tells why there is none."""
        if not answer.ok:
            raise self.refusal(connection, answer)
        body = answer.json()
        if not isinstance(body, kind):
            raise self.absent(connection, answer, f"{answer.shown}, but no answer of {self.name}")
        return body

    def refusal(self, connection: Connection, answer: Answer) -> VerificationError:
        """Why the service refused: credentials, permission, address, too many questions, or its own trouble."""
        if answer.status == 401:
            what = f"{self.name} does not accept the credentials: they are wrong, expired or revoked"
            return VerificationError(what, where=connection.name, why=answer.shown)
        if answer.status == 403:
            what = f"{self.name} knows the credentials, but they lack a permission"
            return VerificationError(what, where=connection.name, why=answer.shown, do=self.permission)
        if answer.status == 404 or 300 <= answer.status < 400:
            return self.absent(connection, answer, answer.shown)
        if answer.status == 429:
            what = f"{self.name} answers no more questions for now"
            return VerificationError(what, where=connection.name, why=answer.shown)
        what = f"{self.name} answered with an error"
        return VerificationError(what, where=connection.name, why=answer.shown)

    def absent(self, connection: Connection, answer: Answer, why: str) -> VerificationError:
        """Something else is at the address."""
        what = f"there is no {self.name} at {printable(answer.url.partition('?')[0], most=300)}"
        return VerificationError(what, where=connection.name, why=why, do=self.address)


@dataclass(frozen=True, slots=True)
class Pace:
    """How long to wait between questions (seconds): at first, and at most after that grew."""

    first: float = 0.25
    most: float = 5.0

    def __iter__(self) -> Iterator[float]:
        seconds = self.first
        while True:
            yield seconds
            seconds = min(self.most, seconds * 2)


class Patience:
    """Waits on behalf of a run, and ends that when the run is canceled."""

    def __init__(self, run: TaskRun) -> None:
        self._canceled = threading.Event()
        run.on_cancel(self._canceled.set)

    def wait(self, seconds: float) -> None:
        """Wait so long; raises `CanceledError` as soon as the run is canceled."""
        if self._canceled.wait(seconds):
            raise CanceledError("canceled while waiting")

    def check(self) -> None:
        """Raise `CanceledError` when the run is canceled."""
        self.wait(0)
