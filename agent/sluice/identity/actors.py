"""Finds out who acts: the account that owns the state folder, or whom an access token speaks for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sluice.errors import NotPermittedError
from sluice.rights import OWNER_ID, Actor, local_administrator
from sluice.storage import accounts, groups, people, people_actions, tokens
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.connections.guard import Guard
    from sluice.secret import Secret
    from sluice.storage.engine import Database, Transaction
    from sluice.storage.sessions import Session

SIGN_IN_SECONDS = 15 * 60.0
"""After so long without use, the next use of a token is recorded as signing in again; not each of many."""


def local(database: Database) -> Actor:
    """The local administrator; raises `NotPermittedError` for another account than the one that owns the state folder."""
    home = database.home
    if not accounts.owns(home):
        raise NotPermittedError(
            f"this installation belongs to '{accounts.owner_of(home)}', and you are '{accounts.current_account()}'",
            do="have an access token made for you ('sluice token create --user NAME') and set SLUICE_TOKEN",
        )
    return local_administrator(accounts.current_account())


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """Who acts, and until when at most (seconds since the epoch) what was shown speaks for that person."""

    actor: Actor
    until: float
    token_id: str = ""


def by_token(database: Database, token: Secret, *, at: float) -> Actor:
    """Whom a token speaks for. Signing in is recorded, and so is a token that is known but refused.

    Raises `NotPermittedError` for a token that is unknown, expired, revoked or edited, or whose user is gone or disabled.
    """
    return signed_in_by_token(database, token, at=at).actor


def signed_in_by_token(database: Database, token: Secret, *, at: float) -> SignedIn:
    """As `by_token`, with when the token ends."""
    with database.read() as transaction:
        found = tokens.find(transaction, token.reveal().strip())
        if found is None:
            raise NotPermittedError(
                "the access token is not known", do="see 'sluice token list', or have another one made"
            )
        user = people.find(transaction, found.user_id)
        reason = _reason(found, user, at)
        actor = None if reason or user is None else _actor(transaction, user, found)
    if actor is None or user is None:
        shown = user or people.User(id=found.user_id, name=found.user_id)
        with database.write() as transaction:
            tokens.record(transaction, people_actions.TOKEN_REFUSED, found, shown, by=shown.name, at=at, reason=reason)
        raise NotPermittedError(
            f"the access token '{found.name}' ({found.prefix}...) is not accepted",
            why=reason,
            do="have another one made",
        )
    if found.used_at is None or at - found.used_at >= SIGN_IN_SECONDS:
        with database.write() as transaction:
            tokens.mark_used(transaction, found, at=at)
            tokens.record(transaction, people_actions.TOKEN_USED, found, user, by=user.name, at=at)
    return SignedIn(actor=actor, until=found.expires_at, token_id=found.id)


def by_session(transaction: Transaction, session: Session, *, at: float) -> SignedIn | None:
    """Who is signed in with a session, within the limits of the token that it was begun with.

    None when that token does not count any more, or the user is gone or disabled.
    """
    user = people.find(transaction, session.user_id)
    if user is None or user.disabled:
        return None
    if not session.token_id:
        return SignedIn(actor=of_user(transaction, user), until=session.expires_at)
    token = tokens.by_id(transaction, session.token_id)
    if token is None or _reason(token, user, at):
        return None
    until = min(session.expires_at, token.expires_at)
    return SignedIn(actor=_actor(transaction, user, token), until=until, token_id=token.id)


def guard_for(actor: Actor) -> Guard:
    """The guard of a person."""
    from sluice.connections.guard import Unrestricted
    from sluice.identity.guard import RoleGuard

    if actor.id == OWNER_ID and actor.scopes is None:
        return Unrestricted(actor.name)
    return RoleGuard(actor)


def of_user(transaction: Transaction, user: people.User) -> Actor:
    """A person as it would act without a token's limits."""
    if user.local:
        return local_administrator(user.name)
    member_of = groups.of_user(transaction, user.id)
    administrators = groups.default_id(None, groups.COLLECTION_ADMINISTRATORS)
    return Actor(
        id=user.id,
        name=user.name,
        subjects=frozenset({user.id, *(group.id for group in member_of)}),
        groups=tuple(group.full_name for group in member_of),
        administrator=any(group.id == administrators for group in member_of),
    )


def _actor(transaction: Transaction, user: people.User, token: tokens.Token) -> Actor:
    from dataclasses import replace

    return replace(of_user(transaction, user), scopes=frozenset(token.scopes))


def _reason(token: tokens.Token, user: people.User | None, at: float) -> str:
    if user is None:
        return "its user is gone"
    if user.disabled:
        return f"the user '{user.name}' is disabled"
    state = token.state(at)
    if state == "expired":
        return f"it expired on {datetime.fromtimestamp(token.expires_at, UTC):%Y-%m-%d}"
    return {"active": "", "revoked": "it was revoked"}.get(state, "it was written or edited by hand")
