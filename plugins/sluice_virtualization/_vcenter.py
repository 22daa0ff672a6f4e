"""vCenter Server: a session, the machines of a datacenter, and tasks that are waited for."""

from __future__ import annotations

import contextlib
import os
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from sluice.plugin import CanceledError, Connection, SluiceError, TaskFailedError, VerificationError, check_host
from sluice_virtualization._patience import Patience
from sluice_virtualization._words import printable

SECONDS = 30
"""So long an answer of the server may take."""
_SKIP = "where the certificate is signed by itself, a task takes 'skipca: true'"


def verify(connection: Connection) -> str:
    """Log in, and answer what the server is; tells the reasons apart."""
    with session(connection) as content:
        about = content.about
        center = content.rootFolder.childEntity
        text = f"{printable(about.fullName)} at {connection.url} knows the account"
        return f"{text}, which sees {len(center)} datacenters" if center else f"{text}, which sees no datacenter"


@contextmanager
def session(connection: Connection, *, any_certificate: bool = False) -> Iterator[Any]:
    """The content of the service for a `with` block; raises `VerificationError` when nobody lets us in."""
    from pyVim.connect import Disconnect, SmartConnect

    parts = urlsplit(connection.url)
    host, port = parts.hostname or "", parts.port or 443
    check_host(host, port, name=connection.name)
    password = connection.secret("password")
    context = ssl.create_default_context(cafile=os.environ.get("REQUESTS_CA_BUNDLE") or None)
    if any_certificate:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    with _told(connection), _speaking(connection):
        service = SmartConnect(
            host=host,
            port=port,
            path=f"{parts.path.rstrip('/')}/sdk",
            user=connection.text("username"),
            pwd=password.reveal() if password else "",
            sslContext=context,
            httpConnectionTimeout=SECONDS,
        )
    try:
        with _told(connection):
            yield service.content
    finally:
        with contextlib.suppress(Exception):  # the session ends by itself, too
            Disconnect(service)
            service._stub.DropConnections()  # noqa: SLF001  # the library keeps them open otherwise


@contextmanager
def _told(connection: Connection) -> Iterator[None]:
    """Turns what the library raises into what a person understands."""
    import http.client
    import socket

    from pyVmomi import vim, vmodl

    where = connection.name
    place = f"{connection.url.rstrip('/')}/"
    try:
        yield
    except SluiceError:
        raise
    except vim.fault.InvalidLogin:
        raise VerificationError("vCenter does not accept the user name and password", where=where) from None
    except vim.fault.NoPermission as error:
        what = "the account lacks a privilege in vCenter"
        raise VerificationError(what, where=where, why=printable(error.privilegeId or "")) from None
    except ssl.SSLCertVerificationError as error:
        what = f"the certificate of {place} is not trusted"
        raise VerificationError(what, where=where, why=error.verify_message, do=_SKIP) from None
    except vmodl.MethodFault as error:
        raise TaskFailedError(f"vCenter refuses: {printable(error.msg)}", where=where) from None
    except socket.gaierror as error:
        raise VerificationError(f"the host name of {place} was not resolved", where=where, why=str(error)) from None
    except ConnectionRefusedError:
        raise VerificationError(f"{place} refused the connection", where=where) from None
    except TimeoutError:
        raise VerificationError(f"{place} did not answer in time", where=where) from None
    except ssl.SSLError as error:
        what = f"no TLS connection to {place} came about"
        raise VerificationError(what, where=where, why=error.reason or "") from None
    except (OSError, http.client.HTTPException) as error:
        raise _stranger(connection, error) from None


@contextmanager
def _speaking(connection: Connection) -> Iterator[None]:
    """While it is not known yet whether a vCenter answers: what the library makes of answers of something else."""
    from xml.parsers.expat import ExpatError

    try:
        yield
    except Exception as error:
        if type(error) is Exception or isinstance(error, ExpatError | LookupError | AttributeError | TypeError):
            raise _stranger(connection, error) from None
        raise


def _stranger(connection: Connection, error: Exception) -> VerificationError:
    what = f"there is no vCenter Server at {connection.url}"
    return VerificationError(what, where=connection.name, why=printable(error) or type(error).__name__)


def datacenter(content: Any, name: str) -> Any:
    """The datacenter of that name; raises `TaskFailedError` when there is none."""
    from pyVmomi import vim

    for found in _all(content, content.rootFolder, vim.Datacenter):
        if found.name == name:
            return found
    raise TaskFailedError(f"there is no datacenter '{name}' that the account may see")


def one_of(content: Any, root: Any, kind: str, name: str) -> Any:
    """The one object of a kind (`VirtualMachine`, `HostSystem`, ...) that has the name, below `root`."""
    from pyVmomi import vim

    found = [one for one in _all(content, root, getattr(vim, kind)) if one.name == name]
    if len(found) != 1:
        what = "several are" if found else "none is"
        raise TaskFailedError(f"of the kind {kind} {what} called '{name}' there")
    return found[0]


def _all(content: Any, root: Any, kind: type) -> Sequence[Any]:
    view = content.viewManager.CreateContainerView(root, [kind], True)
    try:
        return list(view.view)
    finally:
        view.Destroy()


def finish(task: Any, patience: Patience, tell: Callable[[int], None]) -> Any:
    """Wait for a task of the server and answer its result; one that is not over in time goes on there, and is told."""
    try:
        while True:
            info = task.info
            if info.state == "success":
                return info.result
            if info.state == "error":
                raise TaskFailedError(f"vCenter could not do it: {printable(_message(info.error))}")
            if info.progress is not None:
                tell(int(info.progress))
            if not patience.wait():
                raise TaskFailedError("the time is up; vCenter goes on with its task")
    except CanceledError:
        with contextlib.suppress(Exception):  # most tasks cannot be canceled
            task.CancelTask()
        raise


def _message(fault: Any) -> str:
    return str(getattr(fault, "localizedMessage", "") or getattr(fault, "msg", "") or type(fault).__name__)
