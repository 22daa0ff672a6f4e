"""A line to a host: name, jump hosts, key exchange with a pinned host key, authentication; all within one time limit."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import paramiko

from sluice.plugin import CanceledError, Connection, SluiceError, TrustNeededError, VerificationError
from sluice_ssh._authentication import authenticate
from sluice_ssh._hostkey import HostKey, check_host_key, pinned_keys, preferred_algorithms
from sluice_ssh._line import Deadline, dial, too_late

DEFAULT_PORT = 22
VERIFY_SECONDS = 20.0
KEEP_ALIVE_SECONDS = 30
MAX_HOPS = 8

OnCancel = Callable[[Callable[[], None]], None]
"""Takes what to call when the work is canceled."""

KEY_EXCHANGES = frozenset(
    {
        "mlkem768x25519-sha256",
        "curve25519-sha256",
        "curve25519-sha256@libssh.org",
        "ecdh-sha2-nistp256",
        "ecdh-sha2-nistp384",
        "ecdh-sha2-nistp521",
        "diffie-hellman-group16-sha512",
        "diffie-hellman-group14-sha256",
        "diffie-hellman-group-exchange-sha256",
    }
)
CIPHERS = frozenset(
    {
        "aes128-ctr",
        "aes192-ctr",
        "aes256-ctr",
        "aes128-gcm@openssh.com",
        "aes256-gcm@openssh.com",
    }
)
MACS = frozenset(
    {
        "hmac-sha2-256",
        "hmac-sha2-512",
        "hmac-sha2-256-etm@openssh.com",
        "hmac-sha2-512-etm@openssh.com",
    }
)
WEAK_SIGNATURES = {"keys": ["ssh-rsa", "ssh-dss"], "pubkeys": ["ssh-rsa", "ssh-dss"]}

# paramiko reports to its logger what it also raises; without a handler Python would print it.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A host that we are logged in to."""

    transport: paramiko.Transport
    connection: Connection
    address: str
    method: str
    key: HostKey
    through: tuple[str, ...] = ()

    @property
    def server(self) -> str:
        """The server's software, such as `OpenSSH_9.2p1`."""
        return self.transport.remote_version.partition("-")[2].partition("-")[2] or self.transport.remote_version

    @property
    def plain(self) -> bool:
        """Whether commands are sent as they are, since there is no POSIX shell."""
        return self.connection.text("RemoteShell").casefold() == "plain" or "windows" in self.server.casefold()


@contextlib.contextmanager
def open_host(
    connection: Connection, *, seconds: float, keyboard: bool = False, on_cancel: OnCancel | None = None
) -> Iterator[Host]:
    """Log in, going through the jump hosts that the connection names, and leave at the end.

    Raises `TrustNeededError` when the host is not pinned, `CanceledError` when canceled before it is logged in, and
    `VerificationError` that tells all other reasons apart.
    """
    chain = _chain(connection)
    deadline = Deadline(seconds)
    if on_cancel is not None:
        on_cancel(deadline.cancel)
    with contextlib.ExitStack() as lines:
        host: Host | None = None
        for position, hop in enumerate(chain):
            try:
                host = _log_in(hop, host, deadline, lines, keyboard=keyboard)
            except CanceledError:
                raise
            except SluiceError as error:
                if hop is connection:
                    raise
                raise _at_hop(hop, position, len(chain) - 1, error) from error
        if host is None:
            raise VerificationError("there is no host to connect to", where=connection.name)
        deadline.met()
        yield host


def verify(connection: Connection) -> str:
    """Connect, exchange keys, authenticate, leave; answer a sentence about it."""
    with open_host(connection, seconds=VERIFY_SECONDS) as host:
        through = f", through {', then '.join(host.through)}" if host.through else ""
        return (
            f"Logged in to {host.address} as {connection.text('username')} by {host.method}{through}; "
            f"server {host.server}, host key {host.key.type} {host.key.fingerprint}"
        )


def _chain(connection: Connection) -> Sequence[Connection]:
    """The connection with its jump hosts, in the order in which they are entered."""
    chain = [connection]
    while name := chain[0].text("JumpHost"):
        jump = chain[0].linked.get("JumpHost")
        if jump is None:
            raise VerificationError(f"the jump host '{name}' was not opened with the connection", where=chain[0].name)
        if jump.name in {one.name for one in chain} or len(chain) > MAX_HOPS:
            raise VerificationError(
                f"the jump hosts go round in a circle, or are more than {MAX_HOPS}",
                where=connection.name,
                why=" < ".join(one.name for one in (*reversed(chain), jump)),
            )
        chain.insert(0, jump)
    return chain


def _at_hop(hop: Connection, position: int, jumps: int, error: SluiceError) -> VerificationError:
    # A jump host that is not pinned must not be pinned in the connection that was asked for: hence another error.
    trust = isinstance(error, TrustNeededError)
    return VerificationError(
        f"jump host '{hop.name}' (hop {position + 1} of {jumps}): {error.what}",
        where=None if trust else error.where,
        why=error.why,
        do=error.do,
    )


def _log_in(
    connection: Connection, via: Host | None, deadline: Deadline, lines: contextlib.ExitStack, *, keyboard: bool
) -> Host:
    name, port = connection.text("Host"), _port(connection)
    address = f"[{name}]:{port}" if ":" in name else f"{name}:{port}"
    pins = pinned_keys(connection)
    line: Any = (
        dial(connection, name, port, deadline) if via is None else _tunnel(connection, via, name, port, deadline)
    )
    lines.callback(line.close)
    with _line_errors(connection, address, deadline):
        transport = _transport(line, pins, deadline)
        lines.callback(transport.close)
        deadline.watch(transport)
        transport.start_client(timeout=deadline.left())
        if not transport.initial_kex_done:
            raise TimeoutError
        shown = transport.get_remote_server_key()
        key = HostKey(shown.get_name(), shown.asbytes())
        check_host_key(connection, pins, key, address)
        transport.auth_timeout = deadline.left()
        method = authenticate(transport, connection, keyboard=keyboard)
    transport.set_keepalive(KEEP_ALIVE_SECONDS)
    through = () if via is None else (*via.through, via.connection.name)
    return Host(transport=transport, connection=connection, address=address, method=method, key=key, through=through)


def _port(connection: Connection) -> int:
    text = connection.text("Port").strip()
    if not text:
        return DEFAULT_PORT
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise VerificationError(f"'{text}' is not a port number", where=connection.name)
    return int(text)


def _tunnel(connection: Connection, via: Host, name: str, port: int, deadline: Deadline) -> paramiko.Channel:
    jump = via.connection.name
    try:
        return via.transport.open_channel("direct-tcpip", (name, port), ("127.0.0.1", 0), timeout=deadline.left())
    except paramiko.ChannelException as error:
        forbidden = error.code == 1  # SSH_OPEN_ADMINISTRATIVELY_PROHIBITED
        raise VerificationError(
            f"jump host '{jump}' does not forward to {name}:{port}"
            if forbidden
            else f"jump host '{jump}' cannot reach {name}:{port}",
            where=connection.name,
            why="its SSH server forbids forwarding" if forbidden else error.text,
        ) from None
    except (paramiko.SSHException, EOFError, OSError) as error:
        if deadline.passed:
            raise too_late(connection, f"{name}:{port}", deadline) from None
        raise VerificationError(
            f"the line to the jump host '{jump}' broke", where=connection.name, why=str(error)
        ) from None


def _transport(line: Any, pins: Sequence[HostKey], deadline: Deadline) -> paramiko.Transport:
    transport = paramiko.Transport(line, disabled_algorithms=WEAK_SIGNATURES)
    transport.banner_timeout = deadline.left()
    transport.handshake_timeout = deadline.left()
    options = transport.get_security_options()
    options.kex = tuple(name for name in options.kex if name in KEY_EXCHANGES)
    options.ciphers = tuple(name for name in options.ciphers if name in CIPHERS)
    options.digests = tuple(name for name in options.digests if name in MACS)
    known = set(options.key_types)
    options.key_types = tuple(name for name in preferred_algorithms(pins) if name in known)
    return transport


@contextlib.contextmanager
def _line_errors(connection: Connection, address: str, deadline: Deadline) -> Iterator[None]:
    """Turn what paramiko and sockets raise into errors that a person can act on."""
    try:
        yield
    except SluiceError:
        raise
    except (paramiko.SSHException, EOFError, OSError) as error:
        if deadline.passed or isinstance(error, TimeoutError):
            raise too_late(connection, address, deadline) from None
        if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
            raise VerificationError(
                f"{address} and Sluice have no safe algorithm in common",
                where=connection.name,
                why=f"{error}; SHA-1, DSA and CBC are not accepted",
                do="bring the SSH server up to date",
            ) from None
        if "protocol banner" in str(error):
            raise VerificationError(f"{address} does not speak SSH", where=connection.name, why=str(error)) from None
        raise VerificationError(
            f"{address} ended the connection", where=connection.name, why=str(error) or type(error).__name__
        ) from None
