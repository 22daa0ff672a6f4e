"""Azure's own command line (`az`) for one step: a configuration of its own, logged in, and logged out again.

No secret is ever an argument: `az` reads it from its standard input (`@-`), a certificate from a private file.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sluice.plugin import CanceledError, Connection, Secret, SluiceError, TaskFailedError, TaskRun
from sluice_azure._environments import DEFAULT, STACK
from sluice_azure._refusals import entra_refusal

INSTALL = (
    "install the Azure CLI: https://learn.microsoft.com/cli/azure/install-azure-cli (Debian: apt-get install azure-cli)"
)
CONFIG_VARIABLE = "AZURE_CONFIG_DIR"
REFRESH_SECONDS = 480.0
"""How often a federated log-in is renewed: before the token that it is made with has run out."""

_CERTIFICATE_OPTION = (2, 66)
_CLIENT_ID_OPTION = (2, 69)
"""From these versions on `az login` has options of its own for what `--password` and `--username` were before."""

_LOGINS = (
    "azureProfile.json",
    "msal_token_cache.bin",
    "msal_token_cache.json",
    "service_principal_entries.bin",
    "service_principal_entries.json",
)
"""Files of a configuration that hold log-ins."""

_VERSION = re.compile(r'"azure-cli":\s*"(\d+)\.(\d+)')


@dataclass(frozen=True, slots=True, kw_only=True)
class Az:
    """The `az` of a step, with the environment that it and the step's script run in."""

    run: TaskRun
    program: str
    environment: Mapping[str, str]
    visible: bool = True

    def log_in(self, connection: Connection) -> None:
        """Log in with the connection's identity, and choose its subscription; raises `TaskFailedError`."""
        self._choose_cloud(connection)
        scheme = connection.scheme.casefold() or "serviceprincipal"
        if scheme == "managedserviceidentity":
            self._log_in_machine(connection)
        elif scheme == "workloadidentityfederation":
            self.log_in_federated(connection)
        elif scheme == "serviceprincipal":
            self._log_in_principal(connection)
        else:
            raise TaskFailedError(
                f"az cannot log in with the scheme '{connection.scheme}'",
                where=connection.name,
                do="use a service principal, workload identity federation or a managed identity",
            )
        if subscription := connection.text("subscriptionId"):
            self._ask("account", "set", "--subscription", subscription)

    def log_in_federated(self, connection: Connection) -> Secret:
        """Log in with a fresh identity token, which it answers."""
        token = connection.federated_token()
        self.run.mask(token)
        self._log_in(connection, *_principal(connection), "--federated-token=@-", given=token)
        return token

    def log_out(self) -> None:
        """Forget the log-ins of the configuration."""
        with contextlib.suppress(TaskFailedError, CanceledError):
            self._ask("account", "clear")

    def _log_in_principal(self, connection: Connection) -> None:
        if connection.text("authenticationType", "spnKey") != "spnCertificate":
            key = _needed(connection, "serviceprincipalkey")
            self._log_in(connection, *_principal(connection), "--password=@-", given=key)
            return
        file = self._folder() / "certificate.pem"
        _write(file, _needed(connection, "servicePrincipalCertificate").reveal())
        option = "--certificate" if self._version() >= _CERTIFICATE_OPTION else "--password"
        self._log_in(connection, *_principal(connection), option, str(file))

    def _log_in_machine(self, connection: Connection) -> None:
        client = connection.text("msiclientId")
        if not client:
            self._log_in(connection, "--identity")
            return
        option = "--client-id" if self._version() >= _CLIENT_ID_OPTION else "--username"
        self._log_in(connection, "--identity", option, client)

    def _log_in(self, connection: Connection, *arguments: str, given: Secret | None = None) -> None:
        shown = () if self.visible else ("--output", "none")
        told: list[bytes] = []
        status = self.run.execute(
            (self.program, "login", *arguments, "--allow-no-subscriptions", *shown),
            folder=self.run.temp,
            environment=self.environment,
            given=given.reveal().encode() if given else b"",
            take=told.append,
        )
        if status:
            raise entra_refusal(connection, _reason(b"".join(told).decode("utf-8", "replace")))

    def _choose_cloud(self, connection: Connection) -> None:
        name = connection.text("environment", DEFAULT)
        if name.casefold() == STACK.casefold():
            register = ("cloud", "register", "--name", STACK, "--endpoint-resource-manager", connection.url)
            self._ask(*register)
        if name.casefold() != DEFAULT.casefold() or CONFIG_VARIABLE not in self.environment:
            self._ask("cloud", "set", "--name", name)

    def _ask(self, *arguments: str) -> str:
        """Run a command whose output nobody needs to see; raises `TaskFailedError` when it fails."""
        told: list[bytes] = []
        status = self.run.execute(
            (self.program, *arguments),
            folder=self.run.temp,
            environment=self.environment,
            take=told.append,
            quiet=True,
        )
        text = b"".join(told).decode("utf-8", "replace")
        if status:
            raise TaskFailedError(f"az {' '.join(arguments[:2])} failed", where=self.run.task, why=_reason(text))
        return text

    def _version(self) -> tuple[int, int]:
        found = _VERSION.search(self._ask("version", "--output", "json"))
        return (int(found[1]), int(found[2])) if found else (0, 0)

    def _folder(self) -> Path:
        return Path(self.environment.get(CONFIG_VARIABLE, "") or self.run.temp)


@contextlib.contextmanager
def opened(run: TaskRun, *, own: bool, visible: bool, more: Mapping[str, str]) -> Iterator[Az]:
    """The `az` of a step; with its `own` configuration, which is gone at the end with everything in it."""
    program = run.program("az", install=INSTALL)
    environment = {**run.environment, **_quietly(run), **more}
    if not own:
        _keep_as_it_is(run, environment)
        az = Az(run=run, program=program, environment=environment, visible=visible)
        try:
            yield az
        finally:
            az.log_out()
        return
    folder = Path(tempfile.mkdtemp(prefix="azure-cli-", dir=run.temp))
    try:
        run.say(f"Setting {CONFIG_VARIABLE} env variable to: {folder}")
        yield Az(run=run, program=program, environment={**environment, CONFIG_VARIABLE: str(folder)}, visible=visible)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _keep_as_it_is(run: TaskRun, environment: Mapping[str, str]) -> None:
    """Have the user's own configuration put back when the job ends, also one that was killed: log-ins are kept in it."""
    home = environment.get("HOME", "")
    folder = Path(environment.get(CONFIG_VARIABLE, "") or os.path.join(home, ".azure"))  # noqa: PTH118  # '' stays ''
    if folder.is_absolute():
        for name in _LOGINS:
            run.restore_at_end(folder / name)


@contextlib.contextmanager
def kept_active(az: Az, connection: Connection) -> Iterator[None]:
    """Renew a federated log-in again and again, until the block is left."""
    over = threading.Event()

    def renew() -> None:
        while not over.wait(REFRESH_SECONDS):
            try:
                az.log_in_federated(connection)
            except CanceledError:
                return
            except SluiceError as error:
                az.run.warn(f"The session of az could not be renewed: {error}")

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(timeout=30)


def _quietly(run: TaskRun) -> dict[str, str]:
    agent = f"VSTS_{run.variable('System.CollectionId')}_build_{run.variable('System.DefinitionId')}_0"
    return {"AZURE_CORE_COLLECT_TELEMETRY": "false", "AZURE_HTTP_USER_AGENT": agent, "AZURE_CORE_NO_COLOR": "true"}


def _principal(connection: Connection) -> tuple[str, ...]:
    application, tenant = connection.text("serviceprincipalid"), connection.text("tenantid")
    return "--service-principal", "--username", application, "--tenant", tenant


def _needed(connection: Connection, key: str) -> Secret:
    found = connection.secret(key)
    if not found:
        raise TaskFailedError(
            f"the connection has no '{key}'",
            where=connection.name,
            do=f"store it: sluice connection update {connection.name} --secret {key}=-",
        )
    return found


def _write(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def _reason(text: str) -> str:
    """The line of az that says what is wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    found = next((line for line in lines if line.startswith("ERROR:")), lines[-1] if lines else "")
    return found.removeprefix("ERROR:").strip()
