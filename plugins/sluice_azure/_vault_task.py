"""`AzureKeyVault@2`: secrets of a key vault become secret variables of the job."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from sluice.plugin import Answer, Connection, Secret, SluiceError, TaskFailedError, TaskRun
from sluice_azure._client import Client, bearer, pause_of
from sluice_azure._identity import Identity, kept_identity
from sluice_azure._refusals import azure_refusal, error_of

VERSION = "7.4"
_NAME = re.compile(r"[A-Za-z](?:[A-Za-z0-9-]{1,22})[A-Za-z0-9]")
_SECRET_NAME = re.compile(r"[A-Za-z0-9-]{1,127}")
_PAGES = 1000


def run_vault(run: TaskRun) -> None:
    """Set a secret variable for each secret that the filter names; raises `TaskFailedError` naming all that failed."""
    connection = run.connection("ConnectedServiceName")
    name = run.required("KeyVaultName").strip()
    if not _NAME.fullmatch(name):
        raise TaskFailedError(
            f"'{name[:80]}' is no name of a key vault", where=run.task, do="give its name, not its address"
        )
    if run.flag("RunAsPreJob"):
        run.say("RunAsPreJob: the secrets are there from this step on, not before the job's first step.")
    vault = Vault.of(run, connection, name)
    wanted = [part.strip() for part in run.required("SecretsFilter").split(",") if part.strip()]
    names = list(vault.names()) if wanted == ["*"] else wanted
    failed: list[str] = []
    for one in dict.fromkeys(names):
        run.say(f"Downloading secret value for: {one}.")
        try:
            run.set_variable(one, vault.secret(one))
        except TaskFailedError as error:
            failed.append(str(error))
    if failed:
        raise TaskFailedError("; ".join(failed))
    if not names:
        run.warn(f"The key vault '{name}' has no secret that is enabled.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Vault:
    """A key vault as a connection's identity reaches it."""

    name: str
    url: str
    client: Client

    @classmethod
    def of(cls, run: TaskRun, connection: Connection, name: str) -> Vault:
        """The vault of that name in the connection's cloud."""
        identity = kept_identity(connection)

        def authorization() -> Secret:
            return bearer(identity.token(connection, _scope(identity)))

        client = Client(connection=connection, authorization=authorization, pause=pause_of(run))
        return cls(name=name, url=f"https://{name}.{identity.cloud.vaults}", client=client)

    def names(self) -> Iterator[str]:
        """The names of the secrets that are enabled and have not expired."""
        url = f"{self.url}/secrets?api-version={VERSION}&maxresults=25"
        for _ in range(_PAGES):
            body = self._ask(url, f"the secrets of the key vault '{self.name}' cannot be listed").json()
            page = body if isinstance(body, dict) else {}
            for one in page.get("value") or ():
                if isinstance(one, dict) and _is_good(one.get("attributes")):
                    yield str(one.get("id", "")).rpartition("/")[2]
            url = page.get("nextLink") or ""
            if not url:
                return
            if not url.startswith(f"{self.url}/"):
                raise TaskFailedError(f"the key vault '{self.name}' points to another place", why=urlsplit(url).netloc)

    def secret(self, name: str) -> Secret:
        """The newest version of a secret; raises `TaskFailedError`."""
        if not _SECRET_NAME.fullmatch(name):
            raise TaskFailedError(f"'{name[:80]}' is no name of a secret", why="letters, digits and '-' make one")
        url = f"{self.url}/secrets/{quote(name)}?api-version={VERSION}"
        body = self._ask(url, f"the secret '{name}' of the key vault '{self.name}' cannot be read").json()
        value = body.get("value") if isinstance(body, dict) else None
        if not isinstance(value, str):
            raise TaskFailedError(f"the key vault '{self.name}' answered without the secret '{name}'")
        return Secret(value)

    def _ask(self, url: str, what: str) -> Answer:
        try:
            answer = self.client.ask(url)
        except SluiceError as error:
            if "was not resolved" in error.what:
                raise TaskFailedError(
                    f"there is no key vault '{self.name}'", where=self.client.connection.name, why=error.what
                ) from None
            raise
        if answer.ok:
            return answer
        code, _ = error_of(answer)
        refusal = azure_refusal(self.client.connection, answer, what, right="the role 'Key Vault Secrets User'")
        if answer.status == 403:
            refusal.do = (
                "give its principal the role 'Key Vault Secrets User' of the vault, or the secret permissions Get and "
                "List in its access policies; a firewall of the vault may be in the way, too"
            )
        elif code == "SecretNotFound":
            refusal.do = "check the name; a secret that was deleted can be recovered for a while"
        elif code == "SecretDisabled" or "disabled" in (refusal.why or ""):
            refusal.do = "enable it in the vault"
        raise refusal


def _scope(identity: Identity) -> str:
    return f"{identity.cloud.vault_audience.rstrip('/')}/.default"


def _is_good(attributes: Any) -> bool:
    if not isinstance(attributes, dict):
        return False
    ends, begins = attributes.get("exp"), attributes.get("nbf")
    now = time.time()
    in_time = not (isinstance(ends, int) and ends <= now) and not (isinstance(begins, int) and begins > now)
    return bool(attributes.get("enabled")) and in_time
