"""Sluice as its own issuer of identity tokens (OpenID Connect), for connections with workload identity federation.

The far side (Microsoft Entra) reads the discovery document and the key set at the issuer's address, and trusts a token
whose subject is the connection that a person has entered there. A token is signed for one use of a connection and lives
ten minutes: no secret is stored anywhere, and none is handed over.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sluice.connections import signing_keys
from sluice.errors import UsageError
from sluice.secret import Secret
from sluice.storage.groups import ORGANIZATION_NAME

if TYPE_CHECKING:
    from sluice.connections.connection import ConnectionRecord
    from sluice.connections.sealing import Sealer
    from sluice.connections.signing_keys import SigningKey
    from sluice.storage.engine import Database, Transaction
    from sluice.storage.projects import Project
    from sluice.storage.usage import Use

SCHEME = "WorkloadIdentityFederation"
"""The authentication scheme of the connections that tokens are issued for."""

AUDIENCE = "api://AzureADTokenExchange"
LIFETIME_SECONDS = 600
"""How long a token is good: to exchange it, not to work with it."""

ISSUER_VARIABLE = "SLUICE_ISSUER_URL"
DISCOVERY_PATH = "/.well-known/openid-configuration"
KEYS_PATH = "/.well-known/jwks.json"
"""Where below the issuer's address the two public documents are."""

UPKEEP = "upkeep"
"""Who the audit log says makes and retires keys when it is time."""


def configured_issuer() -> str:
    """The address that `SLUICE_ISSUER_URL` names; raises `UsageError` when it is missing or none."""
    text = os.environ.get(ISSUER_VARIABLE, "").strip()
    if not text:
        raise UsageError(
            "Sluice has no address as an issuer of identity tokens",
            do=f"set {ISSUER_VARIABLE} to the https address that the far side reads {DISCOVERY_PATH} at",
        )
    return checked_issuer(text)


def checked_issuer(text: str) -> str:
    """An issuer's address without a slash at its end; raises `UsageError` when it can be none."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(text)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        named, parts = False, urlsplit("")
    if not named or parts.scheme != "https" or parts.username is not None or parts.query or parts.fragment:
        raise UsageError(
            f"'{text}' is no address of an issuer of identity tokens",
            where=ISSUER_VARIABLE,
            do="it begins with https:// and has neither a user nor a query, such as https://sluice.example.com",
        )
    return text.rstrip("/")


def subject(project: str, name: str) -> str:
    """Who a token speaks for. It is made from where the connection is now, never from a field that somebody may edit."""
    return f"sc://{ORGANIZATION_NAME}/{project}/{name}"


class Federation:
    """The issuer of one database. `issuer` answers its address; `clock` seconds since the epoch."""

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        *,
        clock: Callable[[], float],
        issuer: Callable[[], str] = configured_issuer,
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._clock = clock
        self._issuer = issuer

    @property
    def issuer(self) -> str:
        """The address that tokens name; raises `UsageError` when there is none."""
        return self._issuer()

    def discovery(self) -> Mapping[str, Any]:
        """The discovery document, to be served at `DISCOVERY_PATH` without authentication."""
        issuer = self.issuer
        return {
            "issuer": issuer,
            "jwks_uri": f"{issuer}{KEYS_PATH}",
            "response_types_supported": ["id_token"],
            "response_modes_supported": ["form_post"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid"],
            "claims_supported": ["sub", "aud", "exp", "iat", "nbf", "iss", "jti"],
        }

    def key_set(self) -> Mapping[str, Any]:
        """The public keys (JWKS), to be served at `KEYS_PATH` without authentication; keys are kept up here."""
        now = self._clock()
        with self._database.read() as transaction:
            if not signing_keys.is_due(transaction, at=now):
                return _key_set(signing_keys.published(transaction, self._sealer))
        with self._database.write() as transaction:
            signing_keys.keep(transaction, self._sealer, at=now, by=UPKEEP)
            return _key_set(signing_keys.published(transaction, self._sealer))

    def rotate(self, *, by: str, at_once: bool = False) -> SigningKey:
        """Make another key that signs soon, or `at_once`, where what the others have signed is refused from now on."""
        with self._database.write() as transaction:
            return signing_keys.rotate(transaction, self._sealer, at=self._clock(), by=by, at_once=at_once)

    def sign(
        self, transaction: Transaction, record: ConnectionRecord, project: Project, use: Use, *, at: float
    ) -> tuple[Secret, str]:
        """A token for one use of a connection, and its id (`jti`), in the write transaction that records it."""
        import jwt

        issuer = self.issuer
        key = signing_keys.signing(transaction, self._sealer, at=at, by=UPKEEP)
        now, token_id = int(at), str(uuid.uuid4())
        claims: dict[str, Any] = {
            "iss": issuer,
            "sub": subject(project.name, record.name),
            "aud": AUDIENCE,
            "jti": token_id,
            "iat": now,
            "nbf": now,
            "exp": now + LIFETIME_SECONDS,
            "connection_id": record.id,
            "project_id": project.guid,
        }
        if use.run_id:
            claims |= {"pipeline_id": use.pipeline_id, "run_id": use.run_id, "stage": use.stage, "job": use.job}
        return Secret(jwt.encode(claims, key.private, algorithm="RS256", headers={"kid": key.id})), token_id


def _key_set(keys: tuple[SigningKey, ...]) -> Mapping[str, Any]:
    return {"keys": [key.jwk for key in keys]}
