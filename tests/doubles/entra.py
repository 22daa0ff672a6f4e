"""Microsoft Entra's token endpoint, as strict as the real one: secrets, signatures, audience, subject, expiry.

Access tokens are JSON web tokens signed with a key of the double, which the services that trust it check.
"""

from __future__ import annotations

import functools
import secrets
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import requests
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.doubles.web import Call, Reply

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LOGIN_HOST = "login.microsoftonline.com"
EXCHANGE = "api://AzureADTokenExchange"
_DISCOVERY = "/.well-known/openid-configuration"


@dataclass(frozen=True)
class FederatedCredential:
    """Whose tokens an application takes in place of a secret."""

    issuer: str
    subject: str
    audience: str = EXCHANGE


@dataclass
class Application:
    """An app registration; `object_id` is its service principal's. `expired` are secrets that once were good."""

    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    object_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    keys: set[str] = field(default_factory=set)
    expired: set[str] = field(default_factory=set)
    certificates: list[x509.Certificate] = field(default_factory=list)
    federated: list[FederatedCredential] = field(default_factory=list)


class RefusalError(Exception):
    """What Entra answers with an error."""

    def __init__(self, code: int, error: str, text: str, status: int = 401) -> None:
        super().__init__(text)
        self.reply = Reply(
            status,
            {
                "error": error,
                "error_description": f"AADSTS{code}: {text} Trace ID: {uuid.uuid4()} Correlation ID: {uuid.uuid4()}",
                "error_codes": [code],
            },
        )


class Entra:
    """One tenant. `audiences` are the services that tokens are given for; `trusted` is the CA of issuers' sites."""

    def __init__(self, tenant: str, audiences: set[str], *, trusted: str = "") -> None:
        self.tenant = tenant
        self.audiences = audiences
        self.trusted = trusted
        self.applications: dict[str, Application] = {}
        self.busy = 0
        """How often a token request is answered first that too many were made."""
        self.accounts: dict[str, str] = {}
        """Passwords of people, by user name; of those in `second_factor` one is not enough."""
        self.second_factor: set[str] = set()
        self.machine = Application()
        """The managed identity of a host, which shows `header` at its identity endpoint."""
        self.header = secrets.token_hex(8)
        self.on_token: Callable[[], object] = lambda: None
        """Called when an application was given a token."""
        self.given: list[Mapping[str, Any]] = []
        """The claims of the tokens that were given."""
        self.assertions: list[str] = []
        """Assertions that were taken, in order."""
        self._key = _signing_key()

    def register(self, application: Application) -> Application:
        self.applications[application.id] = application
        return application

    def answer(self, call: Call, base: str) -> Reply | None:
        """The answer to a request at the login host; None where it is none of Entra's. `base` is its address."""
        first, _, rest = call.path.lstrip("/").partition("/")
        if call.path == "/common/discovery/instance":
            return self._instances(call, base)
        if rest in {"v2.0" + _DISCOVERY, _DISCOVERY.lstrip("/")}:
            return self._discovery(first, base)
        if rest == "oauth2/v2.0/token" and call.method == "POST":
            if self.busy:
                self.busy -= 1
                return Reply(429, {"error": "temporarily_unavailable"}, headers={"Retry-After": "0"})
            form = {name: values[0] for name, values in parse_qs(call.body.decode()).items()}
            try:
                return self._token(first, form, f"{base}/{first}/oauth2/v2.0/token")
            except RefusalError as refusal:
                return refusal.reply
        return None

    def identity(self, call: Call) -> Reply:
        """The identity endpoint of a host, as App Service has it."""
        if self.header not in {
            call.headers.get("x-identity-header"),
            call.headers.get("secret"),
        }:  # the newer and the older form
            return Reply(403, {"message": "wrong header"})
        audience = call.query.get("resource", "")
        client = call.query.get("client_id") or call.query.get("mi_res_id")
        if not self._known(audience) or (client and client != self.machine.id):
            return Reply(400, {"error": "invalid_request", "error_description": "no such identity"})
        token = self.issue(self.machine, _plain(audience))
        return Reply(200, {"access_token": token, "expires_on": str(int(time.time()) + 3600), "token_type": "Bearer"})

    def issue(self, application: Application, audience: str, *, lifetime: int = 3600) -> str:
        now = int(time.time())
        claims: dict[str, Any] = {
            "aud": audience,
            "iss": f"https://sts.windows.net/{self.tenant}/",
            "iat": now,
            "nbf": now,
            "exp": now + lifetime,
            "appid": application.id,
            "oid": application.object_id,
            "sub": application.object_id,
            "tid": self.tenant,
            "uti": secrets.token_hex(8),
        }
        self.given.append(claims)
        return jwt.encode(claims, self._key, algorithm="RS256")

    def caller(self, call: Call, *audiences: str) -> Mapping[str, Any] | None:
        """Who asks a service, by its bearer token: None for a forged, an expired or another service's token."""
        token = call.headers.get("authorization", "").removeprefix("Bearer ")
        try:
            claims: dict[str, Any] = jwt.decode(
                token, self._key.public_key(), algorithms=["RS256"], audience=[_plain(one) for one in audiences]
            )
        except jwt.PyJWTError:
            return None
        return claims

    @staticmethod
    def _instances(call: Call, base: str) -> Reply:
        """Which login hosts are the same: none but this one."""
        asked = urlsplit(call.query.get("authorization_endpoint", ""))
        if asked.netloc != LOGIN_HOST:
            return Reply(400, {"error": "invalid_instance", "error_description": "AADSTS50049: unknown instance"})
        tenant = asked.path.strip("/").partition("/")[0]
        one = {"preferred_network": LOGIN_HOST, "preferred_cache": LOGIN_HOST, "aliases": [LOGIN_HOST]}
        endpoint = f"{base}/{tenant}/v2.0{_DISCOVERY}"
        return Reply(200, {"tenant_discovery_endpoint": endpoint, "api-version": "1.1", "metadata": [one]})

    def _known(self, audience: str) -> bool:
        return _plain(audience) in {_plain(one) for one in self.audiences}

    def _discovery(self, tenant: str, base: str) -> Reply:
        if tenant not in {self.tenant, "common", "organizations"}:
            return RefusalError(90002, "invalid_tenant", f"Tenant '{tenant}' not found.", 400).reply
        url = f"{base}/{tenant}"
        return Reply(
            200,
            {
                "issuer": f"{url}/v2.0",
                "authorization_endpoint": f"{url}/oauth2/v2.0/authorize",
                "token_endpoint": f"{url}/oauth2/v2.0/token",
                "device_authorization_endpoint": f"{url}/oauth2/v2.0/devicecode",
                "tenant_region_scope": "EU",
            },
        )

    def _token(self, tenant: str, form: Mapping[str, str], endpoint: str) -> Reply:
        if form.get("grant_type") == "password" and tenant in {self.tenant, "organizations"}:
            return self._person(form)
        if tenant != self.tenant:
            raise RefusalError(90002, "invalid_request", f"Tenant '{tenant}' not found.", 400)
        if form.get("grant_type") != "client_credentials":
            raise RefusalError(70003, "unsupported_grant_type", "The grant type is not supported.", 400)
        application = self.applications.get(form.get("client_id", ""))
        if application is None:
            text = f"Application with identifier '{form.get('client_id')}' was not found in the directory."
            raise RefusalError(700016, "unauthorized_client", text, 400)
        scope = form.get("scope", "").partition(" ")[0]
        if not scope.endswith("/.default"):
            raise RefusalError(1002012, "invalid_scope", f"The scope {scope} is not valid.", 400)
        audience = scope.removesuffix("/.default")
        if not self._known(audience):
            raise RefusalError(
                500011, "invalid_resource", f"The resource principal named {audience} was not found.", 400
            )
        self._authenticate(application, form, endpoint)
        token = self.issue(application, _plain(audience))
        self.on_token()
        return Reply(200, {"token_type": "Bearer", "expires_in": 3600, "ext_expires_in": 3600, "access_token": token})

    def _person(self, form: Mapping[str, str]) -> Reply:
        username = form.get("username", "")
        if username not in self.accounts:
            raise RefusalError(50034, "invalid_grant", f"The user account {username} does not exist.", 400)
        if self.accounts[username] != form.get("password"):
            raise RefusalError(50126, "invalid_grant", "Error validating credentials.", 400)
        if username in self.second_factor:
            raise RefusalError(50076, "interaction_required", "You must use multi-factor authentication.", 400)
        audience = form.get("scope", "").removesuffix("/.default")
        if not self._known(audience):
            raise RefusalError(500011, "invalid_resource", f"The resource principal {audience} was not found.", 400)
        token = self.issue(Application(id=form["client_id"], object_id=username), _plain(audience))
        return Reply(200, {"token_type": "Bearer", "expires_in": 3600, "access_token": token})

    def _authenticate(self, application: Application, form: Mapping[str, str], endpoint: str) -> None:
        if key := form.get("client_secret"):
            if key in application.expired:
                raise RefusalError(7000222, "invalid_client", "The provided client secret keys are expired.")
            if key not in application.keys:
                raise RefusalError(7000215, "invalid_client", "Invalid client secret provided.")
        elif assertion := form.get("client_assertion"):
            if form.get("client_assertion_type") != ASSERTION:
                raise RefusalError(70002, "invalid_request", "The client_assertion_type is not valid.", 400)
            self._assert(application, assertion, endpoint)
        else:
            text = "The request body must contain 'client_assertion' or 'client_secret'."
            raise RefusalError(7000216, "invalid_client", text)

    def _assert(self, application: Application, assertion: str, endpoint: str) -> None:
        try:
            claims = jwt.decode(assertion, options={"verify_signature": False})
        except jwt.PyJWTError as error:
            raise RefusalError(50027, "invalid_request", f"JWT token is invalid or malformed: {error}") from error
        if claims.get("iss") == application.id:
            self._certified(application, assertion, endpoint)
        else:
            self._federated(application, assertion, claims)
        self.assertions.append(assertion)

    def _certified(self, application: Application, assertion: str, endpoint: str) -> None:
        for certificate in application.certificates:
            try:
                jwt.decode(
                    assertion,
                    certificate.public_key(),  # type: ignore[arg-type]  # the kinds of keys that sign
                    algorithms=["RS256", "PS256"],
                    audience=endpoint,
                    issuer=application.id,
                    subject=application.id,
                    options={"require": ["exp", "sub", "jti"]},
                )
            except jwt.PyJWTError:
                continue
            return
        text = "Client assertion failed signature validation: the key was not found among its registered certificates."
        raise RefusalError(700027, "invalid_client", text)

    def _federated(self, application: Application, assertion: str, claims: Mapping[str, Any]) -> None:
        issuer, subject, audience = claims.get("iss"), claims.get("sub"), claims.get("aud")
        fitting = [one for one in application.federated if one.issuer == issuer]
        if not fitting:
            raise RefusalError(
                700211, "invalid_client", f"No matching federated identity record for issuer '{issuer}'."
            )
        fitting = [one for one in fitting if one.subject == subject]
        if not fitting:
            text = f"No matching federated identity record found for presented assertion subject '{subject}'."
            raise RefusalError(700213, "invalid_client", text)
        if audience not in {one.audience for one in fitting}:
            raise RefusalError(
                700212, "invalid_client", f"No matching federated identity record for audience '{audience}'."
            )
        try:
            key = self._key_of(str(issuer), jwt.get_unverified_header(assertion).get("kid", ""))
        except (requests.RequestException, KeyError, ValueError) as error:
            raise RefusalError(
                5000224, "invalid_client", f"The keys of '{issuer}' could not be read: {error}"
            ) from error
        try:
            options: Any = {"require": ["exp", "iat", "nbf", "sub", "jti"]}
            jwt.decode(assertion, key, algorithms=["RS256"], audience=audience, issuer=issuer, options=options)
        except jwt.ExpiredSignatureError as error:
            raise RefusalError(
                700024, "invalid_client", "Client assertion is not within its valid time range."
            ) from error
        except jwt.PyJWTError as error:
            raise RefusalError(50027, "invalid_client", f"JWT token is invalid: {error}") from error

    def _key_of(self, issuer: str, key_id: str) -> jwt.PyJWK:
        """The issuer's key, over TLS: read anew, so that a rotation shows at once."""
        trusted = self.trusted or True
        document = requests.get(f"{issuer}{_DISCOVERY}", verify=trusted, timeout=10, allow_redirects=False).json()
        if document["issuer"] != issuer or not document["jwks_uri"].startswith("https://"):
            raise ValueError("the discovery document is another issuer's")
        keys = requests.get(document["jwks_uri"], verify=trusted, timeout=10, allow_redirects=False).json()
        for key in keys["keys"]:
            if key["kid"] == key_id:
                return jwt.PyJWK(key)
        raise KeyError(key_id)


@functools.cache
def _signing_key() -> rsa.RSAPrivateKey:
    """One for all: to make it takes longer than most tests."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _plain(audience: str) -> str:
    return audience.rstrip("/").casefold()
