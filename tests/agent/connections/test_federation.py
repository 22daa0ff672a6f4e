"""Identity tokens: what they say, who may have one, and whose signature holds."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
import sqlalchemy

from sluice.connections import federation, signing_keys
from sluice.connections.catalogue import Catalogue
from sluice.connections.connection import ConnectionRecord, Draft, Update
from sluice.connections.keys import FileKeys
from sluice.connections.rotation import rotate
from sluice.connections.sealing import Sealer
from sluice.connections.store import ConnectionStore
from sluice.errors import NotFoundError, NotPermittedError, SealError, SluiceError, UsageError
from sluice.hooks.declaration import ConnectionType, Field, Scheme, Url
from sluice.runs.inspection import inspect_seals
from sluice.secret import Secret
from sluice.storage import audit, usage
from sluice.storage.engine import Database, Transaction
from sluice.storage.home import Home

ISSUER = "https://sluice.example/issuer"
DAY = 24 * 3600.0

CLOUD = ConnectionType(
    "Cloud",
    "Cloud",
    url=Url(entered=False),
    schemes=(
        Scheme(federation.SCHEME, "Federation", (Field("tenantid", "Tenant"),)),
        Scheme("Token", "Token", (Field("apitoken", "Token", secret=True),)),
    ),
)


class Clock:
    def __init__(self) -> None:
        self.now = float(int(time.time()))

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cloud(database: Database, home: Home, clock: Clock) -> ConnectionStore:
    sealer = Sealer(lambda: FileKeys(home.keys / "master.json"))
    catalogue = Catalogue({"cloud": CLOUD})
    return ConnectionStore(
        database, sealer, catalogue=lambda: catalogue, clock=clock, sources={}, issuer=lambda: ISSUER
    )


@pytest.fixture
def record(cloud: ConnectionStore) -> ConnectionRecord:
    draft = Draft(name="prod", type="Cloud", scheme=federation.SCHEME, values={"tenantid": "t"})
    return cloud.create("default", draft, by="ann").record


def checked(store: ConnectionStore, token: Secret) -> dict[str, Any]:
    """The claims of a token, as whoever reads the published keys sees them; raises when no key of those signed it."""
    keys = jwt.PyJWKSet.from_dict(dict(store.federation.key_set()))
    header = jwt.get_unverified_header(token.reveal())
    key = next((one for one in keys.keys if one.key_id == header["kid"]), None)
    if key is None:
        raise jwt.InvalidKeyError("nobody knows the key")
    claims: dict[str, Any] = jwt.decode(
        token.reveal(),
        key,
        algorithms=["RS256"],
        audience=federation.AUDIENCE,
        issuer=ISSUER,
        options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
    )
    return claims


def verdict(store: ConnectionStore) -> list[str]:
    with store.database.read() as transaction:
        return [breach.what for breach in audit.verify(transaction).breaches]


def test_a_token_speaks_for_the_connection_for_ten_minutes(
    cloud: ConnectionStore, record: ConnectionRecord, use: usage.Use, clock: Clock
) -> None:
    claims = checked(cloud, cloud.open(1, record.id, use).federated_token())
    assert claims["sub"] == "sc://local/default/prod"
    assert claims["exp"] - claims["iat"] == 600
    assert claims["iat"] == claims["nbf"] == clock.now
    assert (claims["connection_id"], claims["run_id"]) == (record.id, 3)


def test_each_token_is_another_and_is_audited(cloud: ConnectionStore, record: ConnectionRecord, use: usage.Use) -> None:
    opened = cloud.open(1, record.id, use)
    ids = [checked(cloud, opened.federated_token())["jti"] for _ in range(2)]
    assert ids[0] != ids[1]
    with cloud.database.read() as transaction:
        newest = audit.newest(transaction, 1)[0].entry
    assert newest.action == "Sluice.IdentityTokenIssued"
    assert ids[1] in newest.details
    assert verdict(cloud) == []


def test_the_subject_follows_the_name(cloud: ConnectionStore, record: ConnectionRecord, use: usage.Use) -> None:
    cloud.update("default", "prod", Update(name="other"), by="ann")
    assert checked(cloud, cloud.open(1, record.id, use).federated_token())["sub"] == "sc://local/default/other"


def test_what_forbids_the_use_is_asked_for_each_token(
    cloud: ConnectionStore, record: ConnectionRecord, use: usage.Use
) -> None:
    revoked: list[str] = []

    def check(transaction: Transaction, record: ConnectionRecord) -> None:
        if revoked:
            raise NotPermittedError("not any more")

    opened = cloud.open(1, record.id, use, check=check)
    assert opened.federated_token()
    revoked.append("prod")
    with pytest.raises(NotPermittedError, match="not any more"):
        opened.federated_token()


def test_none_is_issued_once_the_connection_is_disabled_or_gone(
    cloud: ConnectionStore, record: ConnectionRecord, use: usage.Use
) -> None:
    opened = cloud.open(1, record.id, use)
    cloud.update("default", "prod", Update(disabled=True), by="ann")
    with pytest.raises(NotPermittedError, match="is disabled"):
        opened.federated_token()
    cloud.delete("default", "prod", by="ann")
    with pytest.raises(NotFoundError):
        opened.federated_token()


def test_none_is_issued_for_another_scheme(cloud: ConnectionStore, use: usage.Use) -> None:
    draft = Draft(name="plain", type="Cloud", scheme="Token", secrets={"apitoken": Secret("t-123456")})
    plain = cloud.create("default", draft, by="ann").record
    with pytest.raises(SluiceError, match="no identity token"):
        cloud.open(1, plain.id, use).federated_token()
    with pytest.raises(NotPermittedError, match="no identity token"):
        cloud.federated_token(1, plain.id, use)


@pytest.mark.parametrize(
    "address",
    ["http://sluice.example", "https://", "https://ann@sluice.example", "https://x.example/?a=1", "https://x:port"],
)
def test_an_issuer_that_nobody_can_trust_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="no address of an issuer"):
        federation.checked_issuer(address)


def test_without_an_address_no_token_is_issued(
    make_store: Callable[[Database], ConnectionStore], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(federation.ISSUER_VARIABLE, raising=False)
    with pytest.raises(UsageError, match="no address as an issuer") as caught:
        make_store(database).federation.discovery()
    assert federation.ISSUER_VARIABLE in caught.value.do
    monkeypatch.setenv(federation.ISSUER_VARIABLE, "https://sluice.example/")
    assert make_store(database).federation.discovery()["jwks_uri"] == "https://sluice.example/.well-known/jwks.json"


def test_the_published_keys_hold_nothing_private(cloud: ConnectionStore) -> None:
    (key,) = cloud.federation.key_set()["keys"]
    assert set(key) == {"kid", "use", "alg", "kty", "n", "e"}


def test_the_next_key_is_published_before_it_signs(
    cloud: ConnectionStore, record: ConnectionRecord, use: usage.Use, clock: Clock
) -> None:
    opened = cloud.open(1, record.id, use)
    first = jwt.get_unverified_header(opened.federated_token().reveal())["kid"]
    clock.now += signing_keys.ROTATE_SECONDS
    assert next(key["kid"] for key in cloud.federation.key_set()["keys"]) == first
    assert len(cloud.federation.key_set()["keys"]) == 2
    assert jwt.get_unverified_header(opened.federated_token().reveal())["kid"] == first
    clock.now += signing_keys.AHEAD_SECONDS
    token = opened.federated_token()
    assert jwt.get_unverified_header(token.reveal())["kid"] != first
    assert checked(cloud, token)
    assert len(cloud.federation.key_set()["keys"]) == 2, "what the old one has signed is good still"
    clock.now += signing_keys.KEEP_SECONDS
    assert [key["kid"] for key in cloud.federation.key_set()["keys"]] != [first]
    assert len(cloud.federation.key_set()["keys"]) == 1
    assert verdict(cloud) == []


def test_a_signer_alone_never_makes_a_key_that_is_not_published(
    cloud: ConnectionStore, record: ConnectionRecord, use: usage.Use, clock: Clock
) -> None:
    opened = cloud.open(1, record.id, use)
    before = jwt.get_unverified_header(opened.federated_token().reveal())["kid"]
    clock.now += 10 * signing_keys.ROTATE_SECONDS
    assert jwt.get_unverified_header(opened.federated_token().reveal())["kid"] == before


def test_a_rotation_at_once_voids_what_was_signed(
    cloud: ConnectionStore, record: ConnectionRecord, use: usage.Use
) -> None:
    opened = cloud.open(1, record.id, use)
    stolen = opened.federated_token()
    made = cloud.federation.rotate(by="ann", at_once=True)
    with pytest.raises(jwt.PyJWTError):
        checked(cloud, stolen)
    assert jwt.get_unverified_header(opened.federated_token().reveal())["kid"] == made.id
    assert verdict(cloud) == []


def test_a_rotation_in_time_lets_the_present_key_sign_on(
    cloud: ConnectionStore, record: ConnectionRecord, use: usage.Use, clock: Clock
) -> None:
    opened = cloud.open(1, record.id, use)
    token = opened.federated_token()
    made = cloud.federation.rotate(by="ann")
    assert checked(cloud, token)
    assert jwt.get_unverified_header(opened.federated_token().reveal())["kid"] != made.id
    clock.now += signing_keys.AHEAD_SECONDS
    assert jwt.get_unverified_header(opened.federated_token().reveal())["kid"] == made.id


def test_a_new_master_key_opens_the_signing_keys(
    cloud: ConnectionStore, record: ConnectionRecord, use: usage.Use, clock: Clock
) -> None:
    opened = cloud.open(1, record.id, use)
    token = opened.federated_token()
    assert rotate(cloud.database, cloud.sealer, by="ann", clock=clock).count == 2
    assert checked(cloud, token)
    with cloud.database.read() as transaction:
        assert not inspect_seals(transaction, cloud.sealer.provider).broken


@pytest.mark.parametrize(
    "edit", ["active_from = active_from + 1", "created_at = 1", "sealed = x'01'", "id = 'other'", "version = 2"]
)
def test_an_edited_key_signs_nothing_and_shows(
    cloud: ConnectionStore, record: ConnectionRecord, use: usage.Use, edit: str
) -> None:
    opened = cloud.open(1, record.id, use)
    opened.federated_token()
    with cloud.database.write() as transaction:
        transaction.execute(sqlalchemy.text(f"UPDATE signing_keys SET {edit}"))
    with pytest.raises(SealError):
        opened.federated_token()
    assert verdict(cloud)


def test_a_key_that_is_put_back_after_it_was_retired_is_refused(cloud: ConnectionStore) -> None:
    cloud.federation.key_set()
    with cloud.database.read() as transaction:
        old = dict(transaction.rows(sqlalchemy.text("SELECT * FROM signing_keys"))[0]._mapping)
    cloud.federation.rotate(by="ann", at_once=True)
    columns = ", ".join(old)
    values = ", ".join(f":{name}" for name in old)
    with cloud.database.write() as transaction:
        transaction.execute(sqlalchemy.text(f"INSERT INTO signing_keys ({columns}) VALUES ({values})"), old)
    with pytest.raises(SealError, match="cannot be opened"):
        cloud.federation.key_set()
    assert verdict(cloud) == [f"signing key {old['id']} is there, and nobody created it"]


def test_a_foreign_key_cannot_be_slipped_in(cloud: ConnectionStore, record: ConnectionRecord, use: usage.Use) -> None:
    cloud.federation.key_set()
    with cloud.database.write() as transaction:
        transaction.execute(
            sqlalchemy.text(
                "INSERT INTO signing_keys SELECT 'mine', version, created_at, active_from, key_id, wrapped_key, sealed"
                " FROM signing_keys"
            )
        )
    with pytest.raises(SealError):
        cloud.federation.key_set()
