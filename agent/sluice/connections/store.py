"""The store of service connections: create, update, delete and open them, every change with its audit entry."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from sluice.connections import deletion, journal, lookup, release, rotation, sharing, terms, vault
from sluice.connections.catalogue import Catalogue
from sluice.connections.changes import Merged, merge
from sluice.connections.connection import ConnectionRecord, Draft, Key, Update
from sluice.connections.creation import Creation, Outcome
from sluice.connections.federation import Federation, configured_issuer
from sluice.connections.guard import UNRESTRICTED, Guard
from sluice.connections.homes import home_for
from sluice.connections.records import renamed, updated_record
from sluice.connections.refreshing import Refresher
from sluice.connections.sealing import Sealer
from sluice.errors import ConflictError, ConnectionInvalidError, SealError
from sluice.rights import Right
from sluice.secret import Secret
from sluice.storage import audit, deleted, permissions, previous, projects, usage
from sluice.storage import connections as rows
from sluice.storage.engine import Database, Transaction
from sluice.storage.names import name_key

if TYPE_CHECKING:
    from sluice.connections.references import Sources
    from sluice.hooks.connection import Connection
    from sluice.hooks.declaration import Renewal
    from sluice.hooks.ports import KeyProvider
    from sluice.storage.deleted import Deleted


class ConnectionStore:
    """Service connections of one database.

    Methods with a `transaction` argument join one that is open; the others make their own. `clock` answers seconds
    since the epoch, `sources` the secret sources of plugins (those installed when None). `guard` decides what the person
    who works with it may do; what that person may not see is not there. `issuer` answers the address that identity tokens
    name: see `federation`. `renewals` renew tokens, by type (those of the plugins installed when None).
    """

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        *,
        catalogue: Callable[[], Catalogue] = Catalogue.installed,
        clock: Callable[[], float] = time.time,
        sources: Sources = None,
        guard: Guard = UNRESTRICTED,
        issuer: Callable[[], str] = configured_issuer,
        renewals: Mapping[str, Renewal] | None = None,
    ) -> None:
        self.database = database
        self.guard = guard
        self.sealer = sealer
        self._catalogue = catalogue
        self._clock = clock
        self.sources = sources
        self.renewals = renewals
        self.federation = Federation(database, sealer, clock=clock, issuer=issuer)

    @classmethod
    def installed(cls, database: Database, guard: Guard) -> ConnectionStore:
        """The store of this installation: plugins as installed, keys as the environment says."""

        def provider() -> KeyProvider:
            from sluice.connections.keys import choose_provider
            from sluice.storage.home import Home

            return choose_provider((database.home or Home.find()).keys)

        return cls(database, Sealer(provider), guard=guard)

    @property
    def catalogue(self) -> Catalogue:
        """The connection types that are known."""
        return self._catalogue()

    def get(self, project: str, name: str) -> ConnectionRecord:
        """The connection of that name or id in a project; raises `NotFoundError` with the nearest name."""
        with self.database.read() as transaction:
            return lookup.get(transaction, projects.find(transaction, project).id, name, self.guard)

    def list(self, project: str) -> tuple[ConnectionRecord, ...]:
        """The connections of a project, by name."""
        with self.database.read() as transaction:
            return lookup.listed(transaction, projects.find(transaction, project).id, self.guard)

    def create(self, project: str, draft: Draft, *, by: str, all_pipelines: bool = False) -> Outcome:
        """Store a new connection; raises `ConflictError` when the name is taken, and as `fit_draft` does."""
        with self.database.write() as transaction:
            return self.create_in(transaction, project, [draft], by=by, all_pipelines=all_pipelines)[0]

    def create_in(
        self,
        transaction: Transaction,
        project: str,
        drafts: Sequence[Draft],
        *,
        by: str,
        all_pipelines: bool = False,
        linked_later: bool = False,
    ) -> tuple[Outcome, ...]:
        """Store many new connections in a transaction: all of them or none.

        With `linked_later` the caller asks `check_links` when everything is stored that they may name.
        """
        now = self._clock()
        home = home_for(transaction, self.guard, project, at=now)
        catalogue = self.catalogue
        taken = self.taken(transaction, home.id, [draft.name for draft in drafts])
        creation = self.creation(transaction, home, taken, by=by, at=now)
        outcomes = [creation.add(draft) for draft in drafts]
        creation.finish()
        for outcome in outcomes:
            if not linked_later:
                self.check_links(transaction, outcome.record, catalogue=catalogue)
            if all_pipelines:
                self._resource_grant(transaction, outcome.record, by=by, at=now)
        return tuple(outcomes)

    def creation(
        self, transaction: Transaction, home: projects.Project, taken: set[str], *, by: str, at: float
    ) -> Creation:
        """Creates many connections in a transaction; `taken` are the names that are taken in the project."""
        return Creation(
            transaction,
            home,
            guard=self.guard,
            sealer=self.sealer,
            catalogue=self.catalogue,
            sources=self.sources,
            taken=taken,
            by=by,
            at=at,
        )

    def update(self, project: str, name: str, update: Update, *, by: str) -> Outcome:
        """Change a connection; what the update doesn't name stays, its id and (unless it moves) its permits too."""
        with self.database.write() as transaction:
            return self.update_in(transaction, project, name, update, by=by)

    def update_in(
        self,
        transaction: Transaction,
        project: str,
        name: str,
        update: Update,
        *,
        by: str,
        linked_later: bool = False,
    ) -> Outcome:
        """As `update`, in a transaction that is open."""
        home = projects.find(transaction, project)
        record = lookup.get(transaction, home.id, name, self.guard)
        now = self._clock()
        merged = merge(self.catalogue.get(record.type), record, update, self.sources)
        changed = (*renamed(record, update), *merged.changed, *terms.changes(transaction, record, update))
        if not changed:
            return Outcome(record=record)
        right = Right.EDIT_PROJECT_FIELDS if set(changed) <= {"name", "description"} else Right.EDIT
        self.guard.require(transaction, right, permissions.Resource(home.id, record.id), record.name)
        after = updated_record(record, update, merged, by=by, at=now)
        self._refuse_taken_name(transaction, record, after)
        secrets, trusted = self._secrets_after(transaction, record, merged)
        row = lookup.to_row(after)
        rows.replace(transaction, row, vault.seal_secrets(self.sealer, self.sealer.provider.current(), row, secrets))
        if not linked_later:
            self.check_links(transaction, after, record)
        dropped = tuple(sorted(key for _, key in merged.dropped)) if merged.moved else ()
        action = journal.modification(record, after, changed)
        more: dict[str, object] = {
            "Changed": list(changed),
            "DroppedSecrets": list(dropped),
            "IsDisabled": after.disabled,
        }
        changes = {key: value for key, value in after.values().items() if record.values().get(key) != value}
        more |= journal.value_codes(transaction.voucher, after, {**changes, **merged.fitted.entered.secrets})
        if moved := merged.moved or not trusted:
            more |= {"Moved": True}
        audit.append(transaction, journal.changed(action, after, home, by=by, at=now, more=more))
        terms.put(transaction, after, update, merged.fitted.entered.secrets, at=now)
        revoked: tuple[permissions.Permission, ...] = ()
        if moved:
            previous.remove(transaction, after.id)
            revoked = permissions.revoke_everywhere(transaction, after.id, by=by, at=now)
        return Outcome(record=after, changed=changed, dropped=dropped, revoked=revoked, warnings=merged.fitted.warnings)

    def require_delete(self, record: ConnectionRecord) -> None:
        """Raise `NotPermittedError` for who may not delete a connection: before anybody is asked whether to."""
        with self.database.read() as transaction:
            resource = permissions.Resource(record.project_id, record.id)
            self.guard.require(transaction, Right.DELETE, resource, record.name)

    def delete(self, project: str, name: str, *, by: str, for_good: bool = False) -> ConnectionRecord:
        """Take a connection out of a project, its permits there with it; its usage history and audit log stay.

        For 30 days it can be put back (see `deletion`), unless it goes `for_good`.
        """
        with self.database.write() as transaction:
            home = projects.find(transaction, project)
            record = lookup.get(transaction, home.id, name, self.guard)
            now = self._clock()
            resource = permissions.Resource(home.id, record.id)
            self.guard.require(transaction, Right.DELETE, resource, record.name)
            if len(rows.projects_of(transaction, record.id)) > 1:
                sharing.leave(transaction, record, home, by=by, at=now)
                return record
            deletion.purge(transaction, at=now)
            deletion.delete(transaction, self.sealer, record, home, by=by, at=now)
            if for_good and (found := deleted.find(transaction, home.id, record.id)):
                deletion.forget(transaction, found, by=by, at=now)
            return record

    def forget(self, project: str, name: str, *, by: str) -> Deleted:
        """Forget a deleted connection before its time; raises `NotFoundError`."""
        with self.database.write() as transaction:
            home = projects.find(transaction, project)
            found = deletion.find(transaction, home.id, name)
            self.guard.require(transaction, Right.DELETE, permissions.Resource(home.id, found.row.id), found.row.name)
            deletion.forget(transaction, found, by=by, at=self._clock())
            return found

    def restore(self, project: str, name: str, *, by: str, new_name: str = "") -> ConnectionRecord:
        """Put a deleted connection back; raises `NotFoundError`, or `ConflictError` when its name is taken."""
        with self.database.write() as transaction:
            home = projects.find(transaction, project)
            now = self._clock()
            deletion.purge(transaction, at=now)
            found = deletion.find(transaction, home.id, name)
            self.guard.require(transaction, Right.DELETE, permissions.Resource(home.id, found.row.id), found.row.name)
            return deletion.restore(transaction, self.sealer, found, home, name=new_name, by=by, at=now)

    def deleted(self, project: str) -> tuple[Deleted, ...]:
        """The deleted connections of a project that can be put back, the newest first."""
        with self.database.write() as transaction:
            home = projects.find(transaction, project)
            deletion.purge(transaction, at=self._clock())
            sees = self.guard.seen(transaction, home.id, permissions.ENDPOINT)
            return tuple(one for one in deleted.listed(transaction, home.id) if sees(one.row.id))

    def dependants(self, record: ConnectionRecord) -> tuple[str, ...]:
        """The names of the connections that go through this one, as far as the person sees them."""
        known = {name_key(record.name), record.id}
        with self.database.read() as transaction:
            return tuple(
                other.name
                for other in lookup.listed(transaction, record.project_id, self.guard)
                if known & {name_key(name) for name in lookup.links(other, self.catalogue).values()}
            )

    def permissions(self, record: ConnectionRecord) -> tuple[permissions.Permission, ...]:
        """The permits of a connection in its project, open access first."""
        with self.database.read() as transaction:
            return permissions.of_resource(transaction, permissions.Resource(record.project_id, record.id))

    def history(self, record: ConnectionRecord, *, limit: int = 100) -> tuple[usage.UsageRecord, ...]:
        """The uses of a connection in its project, newest first."""
        with self.database.read() as transaction:
            return usage.history(transaction, record.id, project_id=record.project_id, limit=limit)

    def open(
        self,
        project_id: int,
        connection_id: str,
        use: usage.Use,
        *,
        version: int | None = None,
        check: release.Check | None = None,
    ) -> Connection:
        """Release a connection with its secrets, and those that it goes through, for one use.

        In one transaction: `check` is asked for each of them (it raises what forbids the use), the secrets are
        opened, the audit log and the usage history are written. When any of that fails, nothing is released.
        `version` is the one that the decision was made for: `ConflictError` when it is another by now.
        """
        return self._releaser().open(project_id, connection_id, use, version=version, check=check)

    def federated_token(
        self, project_id: int, connection_id: str, use: usage.Use, *, check: release.Check | None = None
    ) -> Secret:
        """Issue an identity token for one use of a connection that has workload identity federation.

        In one transaction: `check` is asked (it raises what forbids the use), the token is signed and recorded.
        """
        return self._releaser().issue(project_id, connection_id, use, check=check)

    def _releaser(self) -> release.Releaser:
        refresher = Refresher(self.database, self.sealer, self._clock, self.renewals)
        return release.Releaser(
            self.database, self.sealer, self.catalogue, self._clock, self.sources, self.federation, refresher
        )

    def check_links(
        self,
        transaction: Transaction,
        record: ConnectionRecord,
        before: ConnectionRecord | None = None,
        *,
        catalogue: Catalogue | None = None,
    ) -> None:
        """Check that the connections a connection names exist, have the right type, and form no circle.

        The person needs the right to use each of them, but those that it named `before`. Who checks many gives the
        `catalogue`, which is looked for anew otherwise.
        """
        catalogue = catalogue or self.catalogue
        named = lookup.links(record, catalogue)
        if not named:
            return
        kind = catalogue.get(record.type)
        wanted = {field.key: field.connection_type for field in kind.data if field.kind == "connection"}
        if len(places := rows.projects_of(transaction, record.id)) > 1:
            sharing.require_same_links(self, transaction, record, [project_id for project_id, _ in places])
        old = {name_key(name) for name in lookup.links(before, catalogue).values()} if before else set()
        new = {key: name for key, name in named.items() if name_key(name) not in old}
        for key, name in new.items():
            lookup.refuse_hidden_link(transaction, record, key, name, self.guard)
        lookup.chain(transaction, record, catalogue)
        for key, name in named.items():
            linked = lookup.get(transaction, record.project_id, name)
            if key in new:
                resource = permissions.Resource(linked.project_id, linked.id)
                self.guard.require(transaction, Right.USE, resource, linked.name)
            expected = wanted.get(key, "")
            if expected and linked.type.casefold() != expected.casefold():
                raise ConnectionInvalidError(
                    f"'{key}' must name a connection of type '{expected}', and '{linked.name}' is one of '{linked.type}'"
                )

    def check_key(self) -> None:
        """Raise `SealError` when the master key is missing or cannot be used; made when nothing is sealed yet."""
        with self.database.read() as transaction:
            vault.check_key(transaction, self.sealer)

    def rotate_key(self, *, by: str, lost: bool = False) -> rotation.Rotation:
        """Seal everything under a new master key, then forget the old ones. May be stopped and repeated at any time.

        With `lost` there is no old key any more: a new one is made, and what is sealed stays closed for good.
        """
        self.guard.require_administrator("rotate the master key")
        if lost:
            return rotation.replace_lost(self.database, self.sealer, by=by, clock=self._clock)
        return rotation.rotate(self.database, self.sealer, by=by, clock=self._clock)

    def taken(self, transaction: Transaction, project_id: int, wanted: Sequence[str]) -> set[str]:
        """Which of these names are taken in a project, in the form that names are compared in."""
        if len(wanted) > 100:  # from here on one scan is quicker than a look-up each
            return {name_key(name) for name in rows.names(transaction, project_id)}
        return {name_key(name) for name in wanted if rows.by_name(transaction, project_id, name) is not None}

    def _refuse_taken_name(self, transaction: Transaction, before: ConnectionRecord, after: ConnectionRecord) -> None:
        if name_key(before.name) == name_key(after.name):
            return
        if rows.by_name(transaction, after.project_id, after.name) is not None:
            raise ConflictError(f"the service connection '{after.name}' exists already", do="choose another name")

    def _secrets_after(
        self, transaction: Transaction, record: ConnectionRecord, merged: Merged
    ) -> tuple[dict[Key, Secret], bool]:
        """The secrets to store, and whether the record was the one that Sluice had stored."""
        entered = dict(merged.fitted.entered.secrets)
        try:
            stored = vault.open_secrets(transaction, self.sealer, record)
        except SealError:
            # the way back after a lost key: every secret is entered again; anything less would vouch for the rest
            if not record.secrets or not record.secrets <= frozenset(entered):
                raise
            return entered, False
        kept = merged.fitted.entered.kept
        return {**{key: secret for key, secret in stored.items() if key in kept}, **entered}, True

    def _resource_grant(self, transaction: Transaction, record: ConnectionRecord, *, by: str, at: float) -> None:
        resource = permissions.Resource(record.project_id, record.id)
        self.guard.require(transaction, Right.OPEN_ACCESS, resource, record.name)
        permissions.grant(transaction, resource, permissions.ALL_PIPELINES, by=by, at=at)
