"""Creates connections: each is checked and sealed when it is added, and many are stored at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sluice.connections import journal, lookup, terms, vault
from sluice.connections.changes import fit_draft
from sluice.connections.connection import ConnectionRecord, Draft, Key
from sluice.connections.records import new_record
from sluice.errors import ConflictError
from sluice.rights import Right
from sluice.secret import Secret
from sluice.storage import actions, audit, permissions, seals
from sluice.storage import connections as rows
from sluice.storage.names import name_key
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.connections.catalogue import Catalogue
    from sluice.connections.guard import Guard
    from sluice.connections.references import Sources
    from sluice.connections.sealing import Sealer
    from sluice.storage.engine import Transaction
    from sluice.storage.projects import Project

BATCH = 500
"""How many are stored at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a change has done. `dropped` are secrets that went with the old address, `revoked` permits likewise."""

    record: ConnectionRecord
    changed: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    revoked: tuple[permissions.Permission, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Added:
    draft: Draft
    record: ConnectionRecord
    row: rows.PublicRow
    sealed: seals.SealedRow
    secrets: Mapping[Key, Secret]


class Creation:
    """New connections of one project in one transaction. `taken` are the names that others have there already.

    Nothing can be relied on to be stored before `finish`.
    """

    def __init__(
        self,
        transaction: Transaction,
        home: Project,
        *,
        guard: Guard,
        sealer: Sealer,
        catalogue: Catalogue,
        sources: Sources,
        taken: set[str],
        by: str,
        at: float,
    ) -> None:
        self._transaction = transaction
        self._home = home
        self._guard = guard
        self._sealer = sealer
        self._catalogue = catalogue
        self._sources = sources
        self._taken = taken
        self._by = by
        self._at = at
        self._master: tuple[str, bytes] | None = None
        self._added: list[_Added] = []

    def add(self, draft: Draft) -> Outcome:
        """Take in one more; raises `ConflictError` when its name is taken, and as `fit_draft` does."""
        if self._master is None:
            self._guard.require(self._transaction, Right.CREATE, permissions.Resource(self._home.id, ""))
            self._master = vault.master_key(self._transaction, self._sealer)
        fitted = fit_draft(self._catalogue.get(draft.type), draft, self._sources)
        record = new_record(self._home.id, draft, fitted, by=self._by, at=self._at)
        key = name_key(record.name)
        if key in self._taken:
            raise ConflictError(
                f"the service connection '{record.name}' exists already",
                do="choose another name, or change it with 'sluice connection update'",
            )
        self._taken.add(key)
        row = lookup.to_row(record)
        secrets = fitted.entered.secrets
        sealed = vault.seal_secrets(self._sealer, self._master, row, secrets)
        self._added.append(_Added(draft, record, row, sealed, secrets))
        if len(self._added) >= BATCH:
            self.finish()
        return Outcome(record=record, warnings=fitted.warnings)

    def finish(self) -> None:
        """Store what was added, with its audit entries."""
        added, self._added = self._added, []
        if not added:
            return
        transaction, home, at = self._transaction, self._home, self._at
        digests = rows.insert(transaction, [(one.row, one.sealed) for one in added])
        audit.append_all(transaction, [self._event(*one) for one in zip(added, digests, strict=True)])
        for one in added:
            self._guard.created(transaction, permissions.Resource(home.id, one.record.id), one.record.name, at=at)
            terms.put_new(transaction, one.record, one.draft, one.secrets, at=at)

    def _event(self, one: _Added, digest: str) -> audit.Event:
        codes = journal.value_codes(self._transaction.voucher, one.record, {**one.record.values(), **one.secrets})
        created = actions.CONNECTION_CREATED
        return journal.changed(created, one.record, self._home, by=self._by, at=self._at, more=codes, digest=digest)
