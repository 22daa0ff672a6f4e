"""References that are read through connections, or make secrets for one use."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import pytest

from sluice.connections import leases
from sluice.connections.connection import ConnectionRecord, Draft, Update
from sluice.connections.references import Taken, read_all, resolve, through
from sluice.connections.store import ConnectionStore
from sluice.connections.verification import verify
from sluice.errors import ConnectionInvalidError, NotFoundError, NotPermittedError, SluiceError, VerificationError
from sluice.hooks.connection import Connection
from sluice.hooks.ports import Lease, Reading
from sluice.secret import Secret
from sluice.storage import audit, secret_leases, usage
from sluice.storage.engine import Transaction


class Maker:
    """Makes a secret for each reading, with a lease; `broken` references fail, and `stubborn` takes nothing back."""

    def __init__(self) -> None:
        self.given: list[str] = []
        self.back: list[str] = []
        self.through: list[Connection | None] = []
        self.stubborn = False

    def check(self, reference: str) -> None:
        if reference == "odd":
            raise ConnectionInvalidError("a reference is make:NAME")

    def read(self, references: Sequence[str], connection: Connection | None) -> Reading:
        self.through.append(connection)
        if "broken" in references:
            raise NotFoundError("there is nothing")
        lease = f"lease-{len(self.given) + 1}"
        self.given.append(lease)
        secrets = {one: Secret(f"made-{one}-{len(self.given)}") for one in references}
        return Reading(secrets=secrets, leases=(Lease(id=lease, seconds=100),))

    def revoke(self, lease: str) -> None:
        if self.stubborn:
            raise SluiceError("not now")
        self.back.append(lease)


def _plain(reference: str) -> Secret:
    return Secret(reference)


@pytest.fixture
def maker(store: ConnectionStore) -> Iterator[Maker]:
    made = Maker()
    store.sources = {"make": made, "plain": lambda name: Secret(f"<{name}>"), "slow": _plain}
    return made  # type: ignore[return-value]  # nothing to end


def make(store: ConnectionStore, name: str, reference: str) -> ConnectionRecord:
    draft = Draft(
        name=name, type="depot", scheme="Token", url=f"https://{name}.example", references={"apitoken": reference}
    )
    return store.create("default", draft, by="ann").record


def rows(store: ConnectionStore) -> list[secret_leases.LeaseRow]:
    with store.database.read() as transaction:
        return secret_leases.listed(transaction)


def entries(store: ConnectionStore, action: str) -> list[Mapping[str, object]]:
    with store.database.read() as transaction:
        return [json.loads(one.entry.details) for one in audit.newest(transaction, 50) if one.entry.action == action]


def token_of(connection: Connection) -> str:
    secret = connection.secret("apitoken")
    assert secret
    return secret.reveal()


@pytest.fixture
def use(use: usage.Use) -> usage.Use:
    return replace(use, stage="Deploy", job="Deploy.Site")


def test_what_a_use_leased_is_noted_and_given_back_when_its_job_ends(
    store: ConnectionStore, maker: Maker, use: usage.Use
) -> None:
    record = make(store, "one", "make:a")
    assert token_of(store.open(1, record.id, use)) == "made-a-1"
    (row,) = rows(store)
    assert (row.source, row.lease, row.run_id, row.job) == ("make", "lease-1", use.run_id, use.job)
    clock = store._clock
    other = leases.end_of_job(store.database, store.sources, use.run_id, use.stage, "another job", clock=clock)
    assert (other, len(rows(store))) == ([], 1)
    assert leases.end_of_job(store.database, store.sources, use.run_id, use.stage, use.job, clock=clock) == []
    assert (maker.back, rows(store)) == (["lease-1"], [])
    (ended,) = entries(store, "Sluice.SecretLeaseEnded")
    assert (ended["Lease"], ended["Revoked"], ended["ConnectionName"]) == ("lease-1", True, "one")


def test_each_use_is_audited_with_a_keyed_hash_and_without_the_secret(
    store: ConnectionStore, maker: Maker, use: usage.Use
) -> None:
    record = make(store, "one", "plain:a")
    for _ in range(2):
        store.open(1, record.id, use)
    store.update("default", "one", Update(references={"apitoken": "plain:b"}), by="ann")
    store.open(1, record.id, use)
    found = entries(store, "Sluice.SecretReferencesResolved")
    hashes = [one["ValueHashes"]["apitoken"] for one in found]  # type: ignore[index]  # JSON
    assert [one["References"] for one in found] == [*[{"apitoken": "plain:a"}] * 2, {"apitoken": "plain:b"}]
    assert hashes[0] == hashes[1] != hashes[2]
    assert "<a>" not in repr(found)


def test_what_cannot_be_given_back_is_tried_again_until_it_has_ended(
    store: ConnectionStore, maker: Maker, use: usage.Use
) -> None:
    record = make(store, "one", "make:a")
    store.open(1, record.id, use)
    maker.stubborn = True
    now = store._clock()
    kept = leases.end_of_job(store.database, store.sources, use.run_id, use.stage, use.job, clock=lambda: now)
    assert [one.lease for one in kept] == ["lease-1"]
    left = leases.end_left_over(store.database, store.sources, lambda _: False, clock=lambda: now)
    assert len(left) == len(rows(store)) == 1
    assert leases.end_left_over(store.database, store.sources, lambda _: True, clock=lambda: now + 101) == []
    assert (rows(store), maker.back) == ([], [])
    assert entries(store, "Sluice.SecretLeaseEnded")[0]["Revoked"] is False


def test_a_lease_ends_after_its_connection_is_gone_and_the_audit_log_holds(
    store: ConnectionStore, maker: Maker, use: usage.Use
) -> None:
    store.open(1, make(store, "one", "make:a").id, use)
    store.delete("default", "one", by="ann", for_good=True)
    assert leases.end_of_job(store.database, store.sources, use.run_id, use.stage, use.job, clock=store._clock) == []
    assert (maker.back, rows(store)) == (["lease-1"], [])
    with store.database.read() as transaction:
        assert audit.verify(transaction).breaches == ()


def test_a_connection_that_goes_while_its_secret_is_read_leaves_a_sound_log(
    store: ConnectionStore, maker: Maker, use: usage.Use
) -> None:
    record = make(store, "one", "slow:a")

    def slow(reference: str) -> Secret:
        store.delete("default", "one", by="ann", for_good=True)
        return Secret(reference)

    store.sources = {"slow": slow}
    store.open(1, record.id, use)
    with store.database.read() as transaction:
        assert audit.verify(transaction).breaches == ()


def test_what_a_job_still_holds_stays(store: ConnectionStore, maker: Maker, use: usage.Use) -> None:
    store.open(1, make(store, "one", "make:a").id, use)
    assert leases.end_left_over(store.database, store.sources, lambda _: True, clock=store._clock) == []
    assert (len(rows(store)), maker.back) == (1, [])


def test_a_verification_gives_back_what_it_leased(store: ConnectionStore, maker: Maker) -> None:
    record = make(store, "one", "make:a")
    assert verify(store, record, by="ann", verifiers={"depot": token_of}) == "made-a-1"

    def refuse(connection: Connection) -> str:
        raise VerificationError("no")

    with pytest.raises(VerificationError):
        verify(store, record, by="ann", verifiers={"depot": refuse})
    assert (maker.back, rows(store)) == (["lease-1", "lease-2"], [])


def test_a_verification_that_was_killed_is_given_back_later(store: ConnectionStore, maker: Maker) -> None:
    record = make(store, "one", "make:a")
    use = usage.Use(project_id=1, actor="ann", task="verify", step_id="s")
    store.open(1, record.id, use)
    now = store._clock()
    leases.end_left_over(store.database, store.sources, lambda _: False, clock=lambda: now + 10)
    assert maker.back == []
    leases.end_left_over(store.database, store.sources, lambda _: False, clock=lambda: now + 90 + 301)
    assert rows(store) == []


def test_a_reference_is_read_through_the_connection_that_it_names(
    store: ConnectionStore, maker: Maker, use: usage.Use
) -> None:
    key = make(store, "key", "plain:k")
    record = make(store, "one", "make:a?connection=key")
    opened = store.open(1, record.id, use)
    assert token_of(opened) == "made-a-1"
    assert opened.linked == {}
    (given,) = maker.through
    assert given is not None
    assert (given.name, token_of(given)) == ("key", "<k>")
    assert [len(store.history(one)) for one in (key, record)] == [1, 1]
    assert store.dependants(key) == ("one",)


def test_the_connection_that_is_read_through_needs_a_permit_too(
    store: ConnectionStore, maker: Maker, use: usage.Use
) -> None:
    make(store, "key", "plain:k")
    record = make(store, "one", "make:a?connection=key")
    asked: list[str] = []

    def check(transaction: Transaction, one: ConnectionRecord) -> None:
        asked.append(one.name)
        if one.name == "key":
            raise NotPermittedError("no")

    with pytest.raises(NotPermittedError):
        store.open(1, record.id, use, check=check)
    assert (asked, maker.given) == (["one", "key"], [])


def test_a_connection_that_is_missing_or_goes_round_is_refused(store: ConnectionStore, maker: Maker) -> None:
    with pytest.raises(NotFoundError, match="'nowhere' does not exist"):
        make(store, "one", "make:a?connection=nowhere")
    make(store, "one", "plain:a")
    with pytest.raises(ConnectionInvalidError, match="go round in a circle"):
        store.update("default", "one", Update(references={"apitoken": "make:a?connection=one"}), by="ann")


def test_what_was_leased_is_given_back_when_another_reference_fails(maker: Maker) -> None:
    with pytest.raises(NotFoundError):
        read_all(["make:a", "other:broken"], {"make": maker, "other": Maker()})
    assert maker.back == maker.given == ["lease-1"]


def test_references_of_one_source_are_read_at_once(maker: Maker) -> None:
    found = read_all(["make:a", "MAKE:b"], {"make": maker})
    assert {name: one.reveal() for name, one in found.secrets.items()} == {"make:a": "made-a-1", "MAKE:b": "made-b-1"}
    assert found.leases == (Taken("make", Lease(id="lease-1", seconds=100)),)


def test_what_a_source_does_not_take_is_refused_when_it_is_entered(store: ConnectionStore, maker: Maker) -> None:
    for reference in ("make:odd", "make:odd?connection=key"):
        with pytest.raises(ConnectionInvalidError, match="make:NAME"):
            make(store, "one", reference)
    assert store.list("default") == ()


@pytest.mark.parametrize("key", ["Proxy", "Via", "Region", "Retries", "Strict"])
def test_an_address_a_choice_and_a_number_are_given_as_themselves(
    store: ConnectionStore, maker: Maker, key: str
) -> None:
    make(store, "one", "plain:a")
    with pytest.raises(ConnectionInvalidError, match=f"'{key}'.*given as itself, not as a reference"):
        store.update("default", "one", Update(references={key: "plain:b"}), by="ann")


def test_a_user_name_may_come_with_its_password(store: ConnectionStore, maker: Maker, use: usage.Use) -> None:
    references = {"username": "make:user", "password": "make:password"}
    draft = Draft(name="one", type="depot", scheme="Basic", url="https://one.example", references=references)
    record = store.create("default", draft, by="ann").record
    opened = store.open(1, record.id, use)
    assert (opened.text("username"), opened.secret("password")) == ("made-user-1", Secret("made-password-1"))
    assert maker.given == ["lease-1"]
    store.sources = {"make": lambda name: Secret(f"{name}\n{name}")}
    with pytest.raises(ConnectionInvalidError, match="'username' names is no single line"):
        store.open(1, record.id, use)


def test_where_nothing_can_be_given_back_nothing_is_leased(maker: Maker) -> None:
    with pytest.raises(ConnectionInvalidError, match="put it into a field of a service connection"):
        resolve("make:a", {"make": maker})
    assert maker.back == ["lease-1"]
    with pytest.raises(ConnectionInvalidError, match="stands in a service connection only"):
        resolve("make:a?connection=key", {"make": maker})
    with pytest.raises(ConnectionInvalidError, match="reads through no connection"):
        resolve("env:HOME?connection=key", {})


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("a:b", ""),
        ("a:b?connection=key", "key"),
        ("a:b?connection=my%20key", "my key"),
        ("a:b?connection=my key ", "my key"),
    ],
)
def test_the_connection_stands_at_the_end(reference: str, name: str) -> None:
    assert through(reference) == name
