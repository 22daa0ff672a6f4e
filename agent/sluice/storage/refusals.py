"""Refusals that the audit log keeps: what was tried is taken back, that it was tried is recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.errors import NotPermittedError

if TYPE_CHECKING:
    from sluice.storage.audit import Event


class RefusedError(NotPermittedError):
    """A person tried what the person's role (or access token) does not allow; `event` is recorded by the database."""

    def __init__(self, what: str, *, why: str = "", do: str = "", event: Event) -> None:
        super().__init__(what, why=why, do=do)
        self.event = event
