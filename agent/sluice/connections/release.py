"""Releases a connection with its secrets for one use: checked, audited, and only then handed over."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import TYPE_CHECKING

from sluice.connections import journal, leases, lookup, vault
from sluice.connections.catalogue import Catalogue, fields_of
from sluice.connections.connection import ConnectionRecord, Key
from sluice.connections.federation import SCHEME, Federation
from sluice.connections.references import give_back, read_all, through
from sluice.connections.refreshing import Refresher, with_tokens
from sluice.connections.sealing import Sealer
from sluice.connections.validation import may_be_reference
from sluice.errors import ConflictError, ConnectionInvalidError, NotFoundError, NotPermittedError
from sluice.hooks.connection import Connection, Value
from sluice.secret import Secret
from sluice.storage import audit, projects, renewed, usage
from sluice.storage import connections as rows
from sluice.storage.engine import Database, Transaction

if TYPE_CHECKING:
    from sluice.connections.references import Sources

Check = Callable[[Transaction, ConnectionRecord], None]
"""Asked for each connection before its secrets leave; raises what forbids that."""

Opened = tuple[ConnectionRecord, Mapping[Key, Secret]]


class Releaser:
    """Opens connections; see `ConnectionStore.open`."""

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        catalogue: Catalogue,
        clock: Callable[[], float],
        sources: Sources,
        federation: Federation,
        refresher: Refresher,
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._catalogue = catalogue
        self._clock = clock
        self._sources = sources
        self._federation = federation
        self._refresher = refresher

    def open(
        self, project_id: int, connection_id: str, use: usage.Use, *, version: int | None, check: Check | None
    ) -> Connection:
        opened: dict[str, Opened] = {}
        ends: dict[str, float] = {}
        with self._database.write() as transaction:
            row = rows.by_id(transaction, project_id, connection_id)
            if row is None:
                raise NotFoundError(f"the service connection {connection_id} does not exist any more")
            record = lookup.to_record(row)
            if version is not None and record.version != version:
                raise ConflictError(
                    f"the service connection '{record.name}' was changed",
                    why=f"it is at version {record.version}, what was decided was about version {version}",
                )
            for one in lookup.chain(transaction, record, self._catalogue):
                _refuse_disabled(one)
                if check is not None:
                    check(transaction, one)
                opened[one.id] = (one, vault.open_secrets(transaction, self._sealer, one))
                if newest := renewed.get(transaction, one.id, one.version):
                    ends[one.id] = newest.expires_at
            links = {one.id: self._links(transaction, one) for one, _ in opened.values()}
            self._record(transaction, [one for one, _ in opened.values()], use)
        issue = partial(self._issue, project_id, use, check)
        built = self._build(record.id, opened, links, issue, use)
        if ends.get(record.id):
            built = with_tokens(built, {}, ends[record.id])
        return self._refresher.refreshed(record, built, use)

    def issue(self, project_id: int, connection_id: str, use: usage.Use, *, check: Check | None) -> Secret:
        """An identity token for one use of a connection; see `ConnectionStore.federated_token`."""
        with self._database.write() as transaction:
            row = rows.by_id(transaction, project_id, connection_id)
            if row is None:
                raise NotFoundError(f"the service connection {connection_id} does not exist any more")
            record = lookup.to_record(row)
            _refuse_disabled(record)
            _refuse_unfederated(record)
            if check is not None:
                check(transaction, record)
            now, project = self._clock(), projects.get(transaction, project_id)
            token, token_id = self._federation.sign(transaction, record, project, use, at=now)
            audit.append(transaction, journal.token_issued(record, project, use, token_id, at=now))
        return token

    def _issue(self, project_id: int, use: usage.Use, check: Check | None, connection_id: str) -> Secret:
        return self.issue(project_id, connection_id, use, check=check)

    def _links(self, transaction: Transaction, record: ConnectionRecord) -> Mapping[str, str]:
        named = lookup.links(record, self._catalogue)
        return {key: lookup.get(transaction, record.project_id, name).id for key, name in named.items()}

    def _record(self, transaction: Transaction, released: list[ConnectionRecord], use: usage.Use) -> None:
        now = self._clock()
        project = projects.get(transaction, use.project_id)
        for record in released:
            usage.started(transaction, record.id, use, at=now)
        audit.append_all(transaction, [journal.released(record, project, use, at=now) for record in released])

    def _build(
        self,
        connection_id: str,
        opened: Mapping[str, Opened],
        links: Mapping[str, Mapping[str, str]],
        issue: Callable[[str], Secret],
        use: usage.Use,
    ) -> Connection:
        record, stored = opened[connection_id]
        linked = {key: self._build(one, opened, links, issue, use) for key, one in links[record.id].items()}
        secrets = {**stored, **self._resolve(record, use, linked)}
        parameters: dict[str, Value] = dict(record.parameters)
        data: dict[str, Value] = dict(record.data)
        public = self._public(record)
        for (place, name), secret in secrets.items():
            value = _as_text(record, name, secret) if (place, name) in public else secret
            (parameters if place == "parameters" else data)[name] = value
        return Connection(
            id=record.id,
            name=record.name,
            type=record.type,
            url=record.url,
            scheme=record.scheme,
            parameters=parameters,
            data=data,
            linked={key: one for key, one in linked.items() if not key.startswith(lookup.REFERENCE_LINK)},
            federation=partial(issue, record.id) if record.scheme.casefold() == SCHEME.casefold() else None,
        )

    def _resolve(
        self, record: ConnectionRecord, use: usage.Use, linked: Mapping[str, Connection]
    ) -> Mapping[Key, Secret]:
        """What the references of a connection name, read now: it may ask another machine, so no transaction is open.

        That it was read, and what has to be given back, is stored before anything is handed over.
        """
        if not record.references:
            return {}
        links = {
            through(one): linked.get(f"{lookup.REFERENCE_LINK}{key}") for (_, key), one in record.references.items()
        }
        connections = {name: one for name, one in links.items() if one is not None}
        found = read_all(record.references.values(), self._sources, connections)
        secrets = {key: found.secrets[reference] for key, reference in record.references.items()}
        try:
            with self._database.write() as transaction:
                now = self._clock()
                leases.note(transaction, record, use, found.leases, at=now)
                project = projects.get(transaction, use.project_id)
                event = journal.resolved(
                    record, project, use, secrets, transaction.voucher, leases=len(found.leases), at=now
                )
                audit.append(transaction, event)
        except BaseException:
            give_back(found.leases, self._sources)
            raise
        return secrets

    def _public(self, record: ConnectionRecord) -> Collection[Key]:
        """The fields that are no secrets, though what they hold may come from where secrets are, as a user name does."""
        kind = self._catalogue.find(record.type)
        if kind is None:
            return ()
        fields = fields_of(kind, kind.scheme(record.scheme) if record.scheme else None)
        return {key for key, one in fields.items() if not one.secret and may_be_reference(one)}


def _as_text(record: ConnectionRecord, name: str, secret: Secret) -> str:
    text = secret.reveal().strip()
    if not text.isprintable():
        raise ConnectionInvalidError(
            f"what the reference of '{name}' names is no single line of text", where=record.name
        )
    return text


def _refuse_disabled(record: ConnectionRecord) -> None:
    if record.disabled:
        raise NotPermittedError(
            f"the service connection '{record.name}' is disabled",
            do=f"enable it with 'sluice connection update {record.name} --enable'",
        )


def _refuse_unfederated(record: ConnectionRecord) -> None:
    if record.scheme.casefold() != SCHEME.casefold():
        raise NotPermittedError(
            f"no identity token is issued for the service connection '{record.name}'",
            why="its authentication scheme is not workload identity federation",
        )
