"""PowerShell on a Windows server over WinRM (WS-Management), with what it writes as it comes."""

from __future__ import annotations

import base64
import contextlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sluice.plugin import CanceledError, Connection, SluiceError, TaskFailedError, VerificationError, check_host
from sluice_virtualization._words import printable

if TYPE_CHECKING:
    from winrm.protocol import Protocol

PORTS = {"https": 5986, "http": 5985}
POLL_SECONDS = 5
"""So long the server may say nothing until it is asked again."""
READ_SECONDS = POLL_SECONDS + 25
_UTF8 = 65001
_BOOTSTRAP = (
    "$ErrorActionPreference='Stop';$ProgressPreference='SilentlyContinue';"
    "[Console]::OutputEncoding=[Text.Encoding]::UTF8;"
    "$r=New-Object IO.StreamReader([Console]::OpenStandardInput(),[Text.Encoding]::UTF8);"
    "$s=[scriptblock]::Create([Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($r.ReadToEnd())));"
    "try{. $s;exit $(if($LASTEXITCODE){$LASTEXITCODE}else{0})}catch{[Console]::Error.WriteLine($_.ToString());exit 1}"
)
"""Reads a script from standard input: a command line holds 8191 characters, and others may read it."""


class Shell:
    """Runs scripts as the account of a connection."""

    def __init__(self, connection: Connection, host: str) -> None:
        self._connection = connection
        kind = connection.text("winrmProtocol", "https")
        self._port = int(connection.text("winrmPort") or PORTS[kind])
        self.place = f"{kind}://{host}:{self._port}"
        self._host = host

    def run(
        self, script: str, take: Callable[[bytes], None], *, canceled: Callable[[], bool] = lambda: False
    ) -> tuple[int, str]:
        """Run a script to its end: the exit status, and what it wrote as errors. Both streams go to `take`."""
        from winrm.exceptions import WinRMOperationTimeoutError

        check_host(self._host, self._port, name=self._connection.name)
        command = base64.b64encode(_BOOTSTRAP.encode("utf-16-le")).decode("ascii")
        errors: list[bytes] = []
        with _told(self._connection, self.place), _opened(self._protocol()) as (protocol, shell):
            started = protocol.run_command(
                shell, "powershell.exe", ["-NoProfile", "-NonInteractive", "-EncodedCommand", command], False, True
            )
            try:
                sent = base64.b64encode(script.encode())
                protocol.send_command_input(shell, started, sent, end=True)
                while True:
                    if canceled():
                        raise CanceledError("canceled while the server worked")
                    with contextlib.suppress(WinRMOperationTimeoutError):
                        output, wrong, status, done = protocol.get_command_output_raw(shell, started)
                        take(output + wrong)
                        errors.append(wrong)
                        if done:
                            return status, b"".join(errors).decode("utf-8", "replace").strip()
            finally:
                with contextlib.suppress(Exception):  # what ends the shell ends the command
                    protocol.cleanup_command(shell, started)

    def _protocol(self) -> Protocol:
        from certifi import where
        from winrm.protocol import Protocol

        password = self._connection.secret("password")
        made = Protocol(
            endpoint=f"{self.place}/wsman",
            transport="ntlm",
            username=self._connection.text("username"),
            password=password.reveal() if password else "",
            server_cert_validation="validate",
            ca_trust_path=os.environ.get("REQUESTS_CA_BUNDLE") or where(),  # as requests has it
            proxy=None,  # a proxy would see messages of several connections, and NTLM is of one
            message_encryption="auto",
            operation_timeout_sec=POLL_SECONDS,
            read_timeout_sec=READ_SECONDS,
        )
        made.transport.build_session().max_redirects = 0  # nobody else is proved to who we are
        return made


@contextmanager
def _opened(protocol: Protocol) -> Iterator[tuple[Any, str]]:
    shell = protocol.open_shell(codepage=_UTF8)
    try:
        yield protocol, shell
    finally:
        with contextlib.suppress(Exception):  # a server that is gone has closed it itself
            protocol.close_shell(shell)


def _unreachable(place: str, error: Exception) -> str:
    """What the library's text tells, which is all that it has of the reason."""
    known = str(error).casefold()
    if "refused" in known:
        return f"{place} refused the connection"
    if "resolve" in known or "name or service not known" in known:
        return f"the host name of {place} was not resolved"
    if "timed out" in known:
        return f"{place} did not answer in time"
    return f"the connection to {place} broke"


@contextmanager
def _told(connection: Connection, place: str) -> Iterator[None]:
    """Turns what the libraries raise into what a person understands."""
    import requests
    from winrm.exceptions import InvalidCredentialsError, WinRMError, WinRMTransportError, WSManFaultError

    where = connection.name
    try:
        yield
    except SluiceError:
        raise
    except InvalidCredentialsError:
        raise VerificationError("WinRM does not accept the user name and password", where=where) from None
    except WSManFaultError as error:
        if error.wsman_fault_code == 5:  # ERROR_ACCESS_DENIED
            what = "the account may not use WinRM on the server"
            do = "add it to the group 'Remote Management Users' there, or to the administrators"
            raise VerificationError(what, where=where, why=printable(error), do=do) from None
        raise VerificationError("WinRM answered with an error", where=where, why=printable(error)) from None
    except WinRMTransportError as error:
        what = f"there is no WinRM at {place}"
        raise VerificationError(what, where=where, why=printable(error)) from None
    except requests.TooManyRedirects:
        what = f"{place} redirects to another address, where credentials are not sent"
        raise VerificationError(what, where=where) from None
    except requests.exceptions.SSLError as error:
        what = f"the certificate of {place} is not trusted"
        if "CERTIFICATE_VERIFY_FAILED" not in str(error):
            what = f"no TLS connection to {place} came about"
        raise VerificationError(what, where=where) from None
    except requests.RequestException as error:
        raise VerificationError(_unreachable(place, error), where=where) from None
    except WinRMError as error:
        raise TaskFailedError("WinRM failed", where=where, why=printable(error)) from None
