"""Renews the tokens of a connection before a use of it gets them, where its type's plugin knows how.

A refresh token may be good for one use only. So one use of a connection at a time asks, in whatever process or on whatever
machine it is; what comes back is sealed and stored before anybody uses it; and the connection keeps its version, since what
it opens is the same.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from sluice.connections import journal, vault
from sluice.connections.sealing import Identity, Sealer
from sluice.errors import ConflictError, SluiceError
from sluice.secret import Secret
from sluice.storage import audit, projects, renewed
from sluice.storage import connections as rows

if TYPE_CHECKING:
    from sluice.connections.connection import ConnectionRecord, Key
    from sluice.hooks.connection import Connection
    from sluice.hooks.declaration import Renewal
    from sluice.storage import usage
    from sluice.storage.engine import Database

RENEW_SECONDS = 300.0
"""A token that is good for less than this is renewed."""

TURN_SECONDS = 60.0
"""So long nobody else asks; whoever has not come back then is taken for dead."""

_PAUSE_SECONDS = 0.1
ENDS = "ExpiresAt"
"""The parameter that tells when the token ends, in seconds since the epoch."""


class Refresher:
    """Renews what uses of connections get; see `Renewal`."""

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        clock: Callable[[], float],
        renewals: Mapping[str, Renewal] | None = None,
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._clock = clock
        self._known = renewals

    def refreshed(self, record: ConnectionRecord, connection: Connection, use: usage.Use) -> Connection:
        """The connection with a token that is good for a while; to be called when no transaction is open.

        One that cannot be renewed is used as it is for as long as it is good, with a note. Raises `SluiceError` where it is
        not good any more.
        """
        renewal = self._renewals().get(record.type.casefold())
        if renewal is None or not _is_due(renewal, connection, self._clock()):
            return connection
        holder = str(uuid.uuid4())
        ends = time.monotonic() + TURN_SECONDS
        while not self._turn(record, holder):
            if time.monotonic() > ends:
                raise ConflictError(f"the tokens of '{record.name}' are being renewed by another use", do="try again")
            time.sleep(_PAUSE_SECONDS)
        try:
            newest = self._newest(record, connection)
            if not _is_due(renewal, newest, self._clock()):  # another use has done it meanwhile
                return newest
            return self._ask(record, newest, renewal, use)
        finally:
            with self._database.write() as transaction:
                renewed.end_turn(transaction, record.id, holder)

    def _renewals(self) -> Mapping[str, Renewal]:
        if self._known is None:
            from sluice.hooks.manager import installed

            self._known = installed().renewals
        return self._known

    def _turn(self, record: ConnectionRecord, holder: str) -> bool:
        now = self._clock()
        with self._database.write() as transaction:
            return renewed.take_turn(transaction, record.id, holder, now=now, until=now + TURN_SECONDS)

    def _newest(self, record: ConnectionRecord, connection: Connection) -> Connection:
        with self._database.read() as transaction:
            found = renewed.get(transaction, record.id, record.version)
            if found is None:
                return connection
            secrets = vault.open_renewed(self._sealer, found)
        return with_tokens(connection, {key: value for (_, key), value in secrets.items()}, found.expires_at)

    def _ask(self, record: ConnectionRecord, connection: Connection, renewal: Renewal, use: usage.Use) -> Connection:
        now = self._clock()
        try:
            tokens, ends = renewal.ask(connection, now)
        except SluiceError as error:
            if (renewal.left(connection, now) or 0) <= 0:
                raise
            return replace(connection, notes=(*connection.notes, f"its token could not be renewed: {error}"))
        self._store(record, tokens, ends, use)
        return with_tokens(connection, tokens, ends)

    def _store(self, record: ConnectionRecord, tokens: Mapping[str, Secret], ends: float, use: usage.Use) -> None:
        secrets: dict[Key, Secret] = {("parameters", key): token for key, token in tokens.items()}
        identity = Identity(renewed.RENEWED_SECRETS, record.id, record.version)
        now = self._clock()
        with self._database.write() as transaction:
            row = rows.by_id(transaction, record.project_id, record.id)
            if row is None or row.version != record.version:
                raise ConflictError(f"the service connection '{record.name}' was changed while its tokens were renewed")
            sealed = self._sealer.seal_under(
                vault.master_key(transaction, self._sealer), identity, vault.secrets_text(secrets)
            )
            one = renewed.Renewed(
                connection_id=record.id,
                version=record.version,
                renewed_at=now,
                expires_at=float(ends),
                key_id=sealed.key_id,
                wrapped_key=sealed.wrapped_key,
                sealed=sealed.sealed,
            )
            renewed.put(transaction, one)
            project = projects.get(transaction, use.project_id)
            audit.append(transaction, journal.renewed(record, project, use, list(tokens), at=now))


def with_tokens(connection: Connection, tokens: Mapping[str, Secret], ends: float) -> Connection:
    """The connection with new tokens, and when the first of them ends."""
    wanted = {key.casefold() for key in (*tokens, ENDS)}
    kept = {key: value for key, value in connection.parameters.items() if key.casefold() not in wanted}
    until = {ENDS: str(int(ends))} if ends else {}
    return replace(connection, parameters={**kept, **tokens, **until})


def _is_due(renewal: Renewal, connection: Connection, now: float) -> bool:
    left = renewal.left(connection, now)
    return left is not None and left < RENEW_SECONDS
