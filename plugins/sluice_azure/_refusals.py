"""What Entra and Azure refuse, in words that tell a person what to do about it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sluice.plugin import Answer, Connection, TaskFailedError

_CODE = re.compile(r"AADSTS(\d+)")
_NOISE = re.compile(r"\s*(Trace ID|Correlation ID|Timestamp):.*", re.DOTALL)
_LONGEST = 400

_ROTATE = "make another one in Entra, and store it: sluice connection rotate {name} --secret {field}=-"
_FEDERATION = "compare the federated credential in Entra with: sluice connection federation {name}"

_KNOWN: Mapping[str, tuple[str, str]] = {
    "7000215": (
        "Entra does not accept the client secret",
        "store the secret's value, not its id: sluice connection rotate {name} --secret {field}=-",
    ),
    "7000222": ("the client secret has expired", _ROTATE),
    "7000216": ("the application needs a secret or an assertion, and there is none", _ROTATE),
    "700027": (
        "Entra does not know the certificate: it is not registered for the application, or has expired",
        "upload the certificate to the app registration, or store the one that is registered",
    ),
    "700016": (
        "the tenant has no application with this client id",
        "check serviceprincipalid and tenantid (Entra: App registrations, Overview)",
    ),
    "7000229": (
        "the application has no service principal in the tenant",
        "make one: az ad sp create --id CLIENT_ID",
    ),
    "90002": ("there is no such tenant", "check tenantid, and that the environment is the right cloud"),
    "900023": ("the tenant id is none", "check tenantid"),
    "70021": ("no federated credential of the application fits the token of this connection", _FEDERATION),
    "700213": ("no federated credential of the application has the subject of this connection", _FEDERATION),
    "700211": ("no federated credential of the application has this Sluice for its issuer", _FEDERATION),
    "700212": ("no federated credential of the application has the right audience", _FEDERATION),
    "50027": ("Entra does not take the token that Sluice has signed", _FEDERATION),
    "5000224": ("Entra could not read the keys of this Sluice", _FEDERATION),
    "700024": ("the token that Sluice has signed was too old", "check the clock of this machine"),
    "500011": (
        "the tenant does not know the service that the token is for",
        "check that tenantid and the environment belong together",
    ),
    "50034": ("the account does not exist in the tenant", "check tenantid"),
    "53003": ("a Conditional Access policy of the tenant forbids the sign-in", "ask who administers the tenant"),
}
"""By Entra's code: what it means here, and what to do."""


def entra_refusal(connection: Connection, text: str) -> TaskFailedError:
    """Why Entra gives no token; `text` is its own, which names the application and the reason, never the secret."""
    code = found[1] if (found := _CODE.search(text)) else ""
    if "Unable to get authority configuration" in text:  # the library's words where Entra's own would be 90002
        code, text = "90002", ""
    why = _NOISE.sub("", text.partition("\n")[0]).removeprefix("Authentication failed: ")[:_LONGEST]
    what, do = _KNOWN.get(code, ("Entra gives no token for this identity", ""))
    certified = connection.text("authenticationType", "spnKey") == "spnCertificate"
    field = "servicePrincipalCertificate" if certified else "serviceprincipalkey"
    return TaskFailedError(what, where=connection.name, why=why, do=do.format(name=connection.name, field=field))


def azure_refusal(connection: Connection, answer: Answer, what: str, *, right: str = "") -> TaskFailedError:
    """Why Azure did not do what it was asked for; `right` is the role that it takes."""
    code, message = error_of(answer)
    why = f"{code}: {message}" if code else answer.shown
    do = ""
    if answer.status in {401, 403} and code == "InvalidAuthenticationTokenTenant":
        do = "the subscription belongs to another tenant: check tenantid"
    elif answer.status == 401:
        do = "the token is not accepted there: check tenantid and the environment"
    elif answer.status == 403:
        do = f"give its principal {right or 'a role'} there (az role assignment create)"
    elif answer.status == 429:
        do = "Azure was asked too often; try later"
    return TaskFailedError(what, where=connection.name, why=why[:_LONGEST], do=do)


def error_of(answer: Answer) -> tuple[str, str]:
    """The code and the message of an error of Azure; '' where there is none."""
    body = answer.json()
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict):
        return "", ""
    code, message = error.get("code"), error.get("message")
    return (code if isinstance(code, str) else ""), (_one_line(message) if isinstance(message, str) else "")


def _one_line(text: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
