"""WinRM of a Windows server with VMM: WS-Management messages over TLS, after a handshake of NTLM on each connection.

It runs no PowerShell: what a script is to do it reads from the values that the script carries. The handshake, each
header of a message, and the order of messages in a shell are looked at as closely as Windows does.
"""

from __future__ import annotations

import base64
import json
import re
import ssl
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from xml.etree import ElementTree as ET

import spnego

NAMES = {
    "s": "http://www.w3.org/2003/05/soap-envelope",
    "a": "http://schemas.xmlsoap.org/ws/2004/08/addressing",
    "w": "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd",
    "rsp": "http://schemas.microsoft.com/wbem/wsman/1/windows/shell",
}
SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/cmd"
ACTIONS = {
    "http://schemas.xmlsoap.org/ws/2004/09/transfer/Create": "create",
    "http://schemas.xmlsoap.org/ws/2004/09/transfer/Delete": "delete",
    **{f"http://schemas.microsoft.com/wbem/wsman/1/windows/shell/{one.title()}": one for one in ("command", "send")},
    **{f"http://schemas.microsoft.com/wbem/wsman/1/windows/shell/{one.title()}": one for one in ("receive", "signal")},
}
GIVEN = re.compile(r"FromBase64String\('([A-Za-z0-9+/=]+)'\)")


@dataclass
class Machine:
    """A virtual machine; `checkpoints` by name, with their descriptions."""

    status: str = "Running"
    cloud: str = ""
    host: str = "hv1"
    checkpoints: dict[str, str] = field(default_factory=dict)
    restored: str = ""


@dataclass
class Command:
    shell: str
    text: str
    stdin: bytes = b""
    ended: bool = False
    signaled: bool = False
    answered: bool = False


class FaultError(Exception):
    """A fault of WS-Management."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Server:
    """A VMM server; its `machines` by name."""

    def __init__(self) -> None:
        self.url = ""
        self.complaints: list[str] = []
        self.machines: dict[str, Machine] = {}
        self.scripts: list[str] = []
        self.requests = 0
        self.allowed = True
        self.console = True
        self.role = True
        self.silent = False
        self.redirect = ""
        self.shells: dict[str, str] = {}
        self.commands: dict[str, Command] = {}

    @property
    def port(self) -> str:
        return self.url.rpartition(":")[2]

    def answer(self, content: bytes) -> bytes:
        """The answer to one message."""
        message = ET.fromstring(content)
        header = message.find("s:Header", NAMES)
        assert header is not None
        action = ACTIONS.get((header.findtext("a:Action", "", NAMES)).strip(), "")
        self._expect(bool(action), "an unknown action")
        self._expect(header.findtext("w:ResourceURI", "", NAMES) == SHELL, "another resource")
        self._expect(header.findtext("a:To", "", NAMES).endswith("/wsman"), "another address")
        self._expect(header.findtext("a:MessageID", "", NAMES).startswith("uuid:"), "no message id")
        if not self.allowed:
            raise FaultError(5, "Access is denied.")
        selected = [one.text or "" for one in header.findall("w:SelectorSet/w:Selector", NAMES)]
        if action == "create":
            return self._create(header)
        shell = selected[0] if selected else ""
        if shell not in self.shells:
            raise FaultError(2150858843, "The shell was not found.")
        body = message.find("s:Body", NAMES)
        assert body is not None
        reply: bytes = getattr(self, f"_{action}")(shell, body)
        return reply

    def _create(self, header: ET.Element) -> bytes:
        options = {one.get("Name"): one.text for one in header.findall("w:OptionSet/w:Option", NAMES)}
        self._expect(options.get("WINRS_CODEPAGE") == "65001", "the output would not be UTF-8")
        shell = str(uuid.uuid4()).upper()
        self.shells[shell] = "open"
        return f'<rsp:Shell><rsp:ShellId>{shell}</rsp:ShellId></rsp:Shell><x><w:SelectorSet><w:Selector Name="ShellId">{shell}</w:Selector></w:SelectorSet></x>'.encode()

    def _command(self, shell: str, body: ET.Element) -> bytes:
        text = f"{body.findtext('.//rsp:Command', '', NAMES)} {body.findtext('.//rsp:Arguments', '', NAMES)}"
        self._expect(len(text) < 8191, "the command line is too long for Windows")
        self._expect(text.startswith("powershell.exe -NoProfile -NonInteractive -EncodedCommand "), text[:60])
        decoded = base64.b64decode(text.rpartition(" ")[2]).decode("utf-16-le")
        self._expect("OpenStandardInput" in decoded, "it does not read its script")
        name = str(uuid.uuid4()).upper()
        self.commands[name] = Command(shell, text)
        return f"<rsp:CommandResponse><rsp:CommandId>{name}</rsp:CommandId></rsp:CommandResponse>".encode()

    def _send(self, shell: str, body: ET.Element) -> bytes:
        stream = body.find(".//rsp:Stream", NAMES)
        assert stream is not None
        command = self._of(shell, stream.get("CommandId", ""))
        self._expect(stream.get("Name") == "stdin" and not command.ended, "input that nobody reads")
        command.stdin += base64.b64decode(stream.text or "")
        command.ended = stream.get("End") == "true"
        return b"<rsp:SendResponse/>"

    def _receive(self, shell: str, body: ET.Element) -> bytes:
        stream = body.find(".//rsp:DesiredStream", NAMES)
        assert stream is not None
        name = stream.get("CommandId", "")
        command = self._of(shell, name)
        self._expect(command.ended, "it waits before it has said everything")
        if self.silent:
            raise FaultError(2150858793, "The WS-Management service cannot complete the operation within the time.")
        status, output, errors = self._run(base64.b64decode(command.stdin).decode())
        streams = "".join(
            f'<rsp:Stream Name="{kind}" CommandId="{name}">{base64.b64encode(text.encode()).decode()}</rsp:Stream>'
            for kind, text in (("stdout", output), ("stderr", errors))
            if text
        )
        state = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/CommandState/Done"
        done = f'<rsp:CommandState CommandId="{name}" State="{state}"><rsp:ExitCode>{status}</rsp:ExitCode></rsp:CommandState>'
        return f"<rsp:ReceiveResponse>{streams}{done}</rsp:ReceiveResponse>".encode()

    def _signal(self, shell: str, body: ET.Element) -> bytes:
        signal = body.find(".//rsp:Signal", NAMES)
        assert signal is not None
        self._of(shell, signal.get("CommandId", "")).signaled = True
        return b"<rsp:SignalResponse/>"

    def _delete(self, shell: str, body: ET.Element) -> bytes:
        del self.shells[shell]
        return b""

    def _of(self, shell: str, name: str) -> Command:
        command = self.commands.get(name)
        if command is None or command.shell != shell:
            raise FaultError(2150858843, "The command was not found in the shell.")
        return command

    def _run(self, script: str) -> tuple[int, str, str]:
        """What the script would do, by the values that it carries."""
        self.scripts.append(script)
        found = GIVEN.search(script)
        if found is None:
            return 1, "", "no values"
        given: dict[str, Any] = json.loads(base64.b64decode(found[1]))
        if not self.console:
            return 1, "", "sluice: no console\r\n"
        if given["server"] not in {"127.0.0.1", "localhost"}:
            return 1, "", "Unable to connect to the Virtual Machine Manager server.\r\n"
        if not self.role:
            return 1, "", "You cannot access VMM management server: Access denied (Error ID: 1604)\r\n"
        if "script" in given:
            return int("exit 3" in given["script"]) * 3, f"ran {given['script']} with {given['arguments']}\r\n", ""
        if "names" not in given:
            return 0, "10.22.1287.0\r\n", ""
        return self._act(given)

    def _act(self, given: dict[str, Any]) -> tuple[int, str, str]:
        output = ""
        for name in given["names"]:
            machine = self.machines.get(name)
            fits = machine is not None and given.get("cloud", machine.cloud) == machine.cloud
            if machine is None or not fits or given.get("host", machine.host) != machine.host:
                return 1, output, f"0 virtual machines are called '{name}' there\r\n"
            if wrong := self._change(name, machine, given):
                return 1, output, wrong
            output += f"{name}: {given['action']} succeeded\r\n"
        return 0, output, ""

    def _change(self, name: str, machine: Machine, given: dict[str, Any]) -> str:
        action, checkpoint = given["action"], given.get("checkpoint", "")
        if action in {"Restore Checkpoint", "Delete Checkpoint"} and checkpoint not in machine.checkpoints:
            return f"'{name}' has 0 checkpoints called '{checkpoint}'\r\n"
        if action == "Create Checkpoint":
            machine.checkpoints[checkpoint] = given["description"]
        elif action == "Restore Checkpoint":
            machine.restored = checkpoint
        elif action == "Delete Checkpoint":
            del machine.checkpoints[checkpoint]
        elif action == "Delete Virtual Machine":
            del self.machines[name]
        else:
            machine.status = "Running" if action.startswith("Start") else "PowerOff"
        return ""

    def _expect(self, holds: bool, complaint: str) -> None:
        if not holds:
            self.complaints.append(complaint)


@contextmanager
def served(server: Server, context: ssl.SSLContext) -> Iterator[None]:
    """Serve it over TLS for the length of the block. Accounts are those of the file that NTLM_USER_FILE names."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"server_of": server}))
    http.daemon_threads = True  # a client may keep its connection
    http.socket = context.wrap_socket(http.socket, server_side=True)
    server.url = f"https://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_of: Server

    def setup(self) -> None:
        super().setup()
        self._handshake: spnego.ContextProxy | None = None

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.server_of.requests += 1
        if self.server_of.redirect:
            self._reply(307, b"", {"Location": self.server_of.redirect})
        elif self.path != "/wsman":
            self._reply(404, b"")
        elif self._knows_client():
            self._message(content)

    def _knows_client(self) -> bool:
        if self._handshake is not None and self._handshake.complete:
            return True
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        if scheme not in {"Negotiate", "NTLM"} or not token:
            self._reply(401, b"", {"WWW-Authenticate": "Negotiate"})
            return False
        if self._handshake is None:
            self._handshake = spnego.server(protocol="ntlm")
        try:
            answer = self._handshake.step(base64.b64decode(token))
        except spnego.exceptions.SpnegoError:
            self._handshake = None
            self._reply(401, b"", {"WWW-Authenticate": "Negotiate"})
            return False
        if self._handshake.complete:
            return True
        told = base64.b64encode(answer or b"").decode()
        self._reply(401, b"", {"WWW-Authenticate": f"{scheme} {told}"})
        return False

    def _message(self, content: bytes) -> None:
        kind = self.headers["Content-Type"]
        if not kind.startswith("application/soap+xml"):
            self.server_of.complaints.append(f"another content: {kind}")
        names = " ".join(f'xmlns:{name}="{uri}"' for name, uri in NAMES.items())
        try:
            status, body = 200, self.server_of.answer(content)
        except FaultError as fault_:
            fault = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"
            status = 500
            body = (
                "<s:Fault><s:Code><s:Value>s:Receiver</s:Value></s:Code><s:Reason><s:Text>"
                f"{fault_}</s:Text></s:Reason><s:Detail><f:WSManFault xmlns:f='{fault}' Code='{fault_.code}'>"
                f"<f:Message>{fault_}</f:Message></f:WSManFault></s:Detail></s:Fault>"
            ).encode()
        self._reply(status, b"<s:Envelope %s><s:Body>%s</s:Body></s:Envelope>" % (names.encode(), body))

    def _reply(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/soap+xml;charset=UTF-8")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as the base class
        pass
