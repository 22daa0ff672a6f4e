"""OAuth grants with a refresh token: renewed before each use that would be too late, from the store to the far side."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.doubles.oauth import Grants
from tests.doubles.web import Double

from sluice.connections.connection import ConnectionRecord, Draft, Update
from sluice.connections.keys import FileKeys
from sluice.connections.preparation import prepare
from sluice.connections.sealing import Sealer
from sluice.connections.store import ConnectionStore
from sluice.connections.verification import verify
from sluice.plugin import Connection, Secret, SluiceError, VerificationError
from sluice.storage import audit, usage
from sluice.storage.engine import Database
from sluice.storage.home import Home
from sluice.testing.connections import make_connection
from sluice_source import renew_grant
from sluice_source._oauth import seconds_left, token_url

OLD = "access-token-that-has-ended"
USE = usage.Use(project_id=1, actor="ada", pipeline_id=1, run_id=3, step_id="s", task="GitHubRelease@1")


class World:
    def __init__(self, folder: Path) -> None:
        self.now = 1_800_000_000.0
        home = Home(folder / "home")
        self.database = Database.open(home)
        self.store = ConnectionStore(
            self.database,
            Sealer(lambda: FileKeys(home.keys / "master.json")),
            sources={},
            clock=lambda: self.now,
        )

    def create(self, double: Grants, **secrets: str) -> ConnectionRecord:
        given = {"AccessToken": OLD, "RefreshToken": "refresh-token-0001", "ClientSecret": double.secret, **secrets}
        draft = Draft(
            name="hub",
            type="githubenterprise",
            scheme="OAuth2",
            url=double.url,
            values={"ConfigurationId": "00000000-0000-0000-0000-000000000001", "ClientId": double.client},
            secrets={key: Secret(value) for key, value in given.items()},
        )
        return self.store.create("default", draft, by="ada").record

    def open(self, record: ConnectionRecord) -> Connection:
        return self.store.open(record.project_id, record.id, USE, version=record.version)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.database.close()


def token_of(connection: Connection) -> str:
    token = connection.secret("AccessToken")
    assert token is not None
    return token.reveal()


def test_a_token_is_renewed_once_and_used_until_it_ends(world: World, serve: Callable[[Double], None]) -> None:
    double = Grants()
    serve(double)
    record = world.create(double)
    first = world.open(record)
    assert {token_of(first)} == double.access
    assert first.text("ExpiresAt") == str(int(world.now) + double.lifetime)
    assert token_of(world.open(record)) == token_of(first)
    assert double.given == 1
    world.now += double.lifetime - 299
    second = world.open(record)
    assert {token_of(second)} == double.access != {token_of(first)}
    assert double.given == 2
    assert world.store.get("default", "hub").version == record.version  # what was permitted is permitted


def test_a_verification_renews_too(world: World, serve: Callable[[Double], None]) -> None:
    double = Grants()
    serve(double)
    record = world.create(double)
    assert "knows the credentials as ada" in verify(world.store, record, by="ada")


def test_what_tokens_are_got_with_is_kept_from_uses(world: World, serve: Callable[[Double], None]) -> None:
    double = Grants()
    serve(double)
    used = prepare(world.open(world.create(double)))
    assert {key.casefold() for key in used.parameters} == {"configurationid", "accesstoken", "expiresat"}


def test_uses_at_once_get_the_same_token(world: World, serve: Callable[[Double], None]) -> None:
    double = Grants()
    serve(double)
    record = world.create(double)
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(token_of(world.open(record)))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) == double.access
    assert len(found) == 6
    assert double.given == 1


def test_what_was_renewed_survives_changes_of_the_connection_and_of_the_key(
    world: World, serve: Callable[[Double], None]
) -> None:
    double = Grants()
    serve(double)
    record = world.create(double)
    token = token_of(world.open(record))
    world.store.rotate_key(by="ada")
    assert token_of(world.open(record)) == token
    changed = world.store.update("default", "hub", Update(description="the hub"), by="ada").record
    world.now += double.lifetime
    assert {token_of(world.open(changed))} == double.access  # with the refresh token of the first renewal
    assert double.given == 2


def test_tokens_that_are_entered_anew_count(world: World, serve: Callable[[Double], None]) -> None:
    double = Grants()
    serve(double)
    record = world.create(double)
    world.open(record)
    double.refresh = {"refresh-token-0002"}
    secrets = {"AccessToken": Secret("entered-access-0001"), "RefreshToken": Secret("refresh-token-0002")}
    changed = world.store.update("default", "hub", Update(secrets=secrets), by="ada").record
    assert {token_of(world.open(changed))} == double.access


def test_a_renewal_is_in_the_audit_log_without_a_token(world: World, serve: Callable[[Double], None]) -> None:
    double = Grants()
    serve(double)
    token = token_of(world.open(world.create(double)))
    with world.database.read() as transaction:
        links = [one.entry for one in audit.entries(transaction)]
        assert audit.verify(transaction).breaches == ()
    entries = [one for one in links if one.action == "Sluice.ServiceConnectionTokensRenewed"]
    assert len(entries) == 1
    assert token not in str(entries[0])


def test_a_token_that_is_good_still_is_used_when_it_cannot_be_renewed(
    world: World, serve: Callable[[Double], None]
) -> None:
    double = Grants()
    serve(double)
    record = world.create(double)
    token = token_of(world.open(record))
    double.refresh = {"revoked-meanwhile"}
    world.now += double.lifetime - 60
    used = world.open(record)
    assert token_of(used) == token
    assert "its token could not be renewed" in used.notes[-1]
    world.now += 60
    with pytest.raises(VerificationError, match="was used already, has expired or was revoked"):
        world.open(record)
    double.refresh = {"refresh-token-0003"}
    world.store.update("default", "hub", Update(secrets={"RefreshToken": Secret("refresh-token-0003")}), by="ada")
    assert token_of(world.open(world.store.get("default", "hub")))  # nobody's turn was left open


def test_a_token_without_a_refresh_token_is_left_alone(world: World, serve: Callable[[Double], None]) -> None:
    double = Grants()
    serve(double)
    record = world.create(double, RefreshToken="")
    assert token_of(world.open(record)) == OLD
    assert double.calls == []


def grant(kind: str, url: str, *, scheme: str = "OAuth2", **values: str) -> Connection:
    given = {"AccessToken": OLD, "RefreshToken": "refresh-token-0001", "ClientId": "Iv1.0123456789"}
    return make_connection(
        kind, "hub", url=url, scheme=scheme, values={**given, "ClientSecret": "oauth-client-secret-0001", **values}
    )


@pytest.mark.parametrize(("kind", "style"), [("githubenterprise", "github"), ("bitbucket", "bitbucket")])
def test_each_service_is_asked_in_its_way_and_its_refusals_are_told_apart(
    kind: str, style: str, serve: Callable[[Double], None]
) -> None:
    double = Grants(kind=style)
    serve(double)
    tokens, ends = renew_grant(grant(kind, double.url), 1000.0)
    assert {tokens["AccessToken"].reveal()} == double.access
    assert {tokens["RefreshToken"].reveal()} == double.refresh
    assert ends == 1000.0 + double.lifetime
    told: list[tuple[dict[str, str], str]] = [
        ({"RefreshToken": "wrong-refresh-0666"}, "the refresh token is not accepted"),
        ({"ClientSecret": "wrong-secret-0666"}, "the OAuth app's id and secret are not accepted"),
    ]
    for values, text in told:
        with pytest.raises(SluiceError, match=text) as raised:
            renew_grant(grant(kind, double.url, **values), 1000.0)
        assert not any(value in str(raised.value) for value in values.values())
    double.kind = "bitbucket" if style == "github" else "github"  # nothing is at the address then
    with pytest.raises(SluiceError, match="there are no new tokens at"):
        renew_grant(grant(kind, double.url), 0.0)


def test_where_tokens_are_got() -> None:
    assert token_url(grant("github", "https://github.com")) == "https://github.com/login/oauth/access_token"
    cloud = grant("bitbucket", "https://api.bitbucket.org/")
    assert token_url(cloud) == "https://bitbucket.org/site/oauth2/access_token"


def test_a_grant_without_its_app_is_told_what_is_missing() -> None:
    with pytest.raises(VerificationError, match="the connection has no ClientId"):
        renew_grant(grant("github", "https://github.com", ClientId=""), 0.0)


def test_how_long_a_token_is_good() -> None:
    made = grant("github", "https://github.com")
    assert seconds_left(made, 0.0) == 0
    assert seconds_left(make_connection("github", scheme="Token", values={"AccessToken": OLD}), 0.0) is None
    assert seconds_left(grant("github", "https://github.com", AccessToken=""), 0.0) == 0
