"""SSH: run commands and copy files on a remote host (`SSH@0`, `CopyFilesOverSSH@0`)."""

from __future__ import annotations

from sluice.plugin import Connection, ConnectionType, Family, Field, Scheme, Task, TaskRun, Url, hookimpl

DEFAULT_PROMPTS = "Password:\npassword:\nPassword for {username}:\n{username}'s password:"
"""Questions of common servers that ask for the password of the account; compared without surrounding spaces."""

_PORT = r"0*([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"

SSH = ConnectionType(
    "ssh",
    "SSH",
    summary="Remote host over SSH.",
    url=Url(label="Server Url", entered=False, required=False, template="ssh://{Host}:{Port}", schemes=("ssh",)),
    schemes=(
        Scheme(
            "UsernamePassword",
            "Basic Authentication",
            (
                Field("username", "Username", required=True, help="Remote account."),
                Field(
                    "password",
                    "Password/Passphrase",
                    secret=True,
                    help="Password, or the passphrase of the private key when a key is present.",
                ),
            ),
        ),
    ),
    data=(
        Field("Host", "Host name", required=True, address=True, help="Host name or IP address."),
        Field(
            "Port",
            "Port number",
            kind="number",
            default="22",
            address=True,
            validation=_PORT,
            validation_message="a port is a number from 1 to 65535",
            help="SSH port; 22 when it is left out.",
        ),
        Field(
            "PrivateKey",
            "Private Key",
            secret=True,
            kind="multiline",
            validation=r"(?s).*-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----.*",
            validation_message="it is no private key: give the whole file, from '-----BEGIN ... PRIVATE KEY-----' on (a "
            "PuTTY key is exported to OpenSSH format with puttygen first)",
            help="The whole private key file: RSA, ECDSA or Ed25519, in OpenSSH, PEM or PKCS#8 format.",
        ),
        Field(
            "HostKey",
            "Host key",
            kind="multiline",
            generated=True,
            help="An addition of Sluice: the public key that the host must show, such as 'ssh-ed25519 AAAA...'; several "
            "are allowed, one a line. Without it nothing connects: 'sluice connection verify NAME' shows the key that "
            "the host offers and pins it once you have compared its fingerprint. It goes when the host changes.",
        ),
        Field(
            "JumpHost",
            "Jump host",
            kind="connection",
            connection_type="ssh",
            address=True,
            help="An addition of Sluice: the name of another SSH connection that this one goes through. It needs a "
            "permit of its own, and may itself have a jump host.",
        ),
        Field(
            "KeyboardInteractivePrompts",
            "Keyboard-interactive prompts",
            kind="multiline",
            default=DEFAULT_PROMPTS,
            help="An addition of Sluice: the questions that may be answered with the password in keyboard-interactive "
            "authentication, one a line, exactly as the server asks them ({username} stands for the account). Each is "
            "answered once; any other question ends the authentication.",
        ),
        Field(
            "RemoteShell",
            "Remote shell",
            kind="choice",
            choices=("posix", "plain"),
            default="posix",
            help="An addition of Sluice: 'posix' starts commands so that canceling ends all their processes and their "
            "text is no process argument; 'plain' sends them as they are, for hosts without /bin/sh (Windows hosts "
            "are recognised without it) and for accounts with a forced command.",
        ),
    ),
)


def verify(connection: Connection) -> str:
    """Connect, exchange keys, authenticate and leave; answer how that was done."""
    from sluice_ssh._host import verify

    return verify(connection)


def run_ssh(run: TaskRun) -> None:
    """`SSH@0`: run commands or a script on a remote host."""
    from sluice_ssh._ssh_task import run_ssh

    run_ssh(run)


def copy_files(run: TaskRun) -> None:
    """`CopyFilesOverSSH@0`: copy files to a remote host."""
    from sluice_ssh._copy_task import copy_files

    copy_files(run)


@hookimpl
def sluice_family() -> Family:
    return Family(
        types=(SSH,),
        verify={SSH.name: verify},
        tasks=(
            Task(
                "SSH@0",
                run_ssh,
                id="91443475-df55-4874-944b-39253b558790",
                label="SSH",
                summary="Run shell commands or a script on a remote machine using SSH.",
            ),
            Task(
                "CopyFilesOverSSH@0",
                copy_files,
                id="67cec91b-0351-4c2f-8465-d74b3d2a2d96",
                label="Copy files over SSH",
                summary="Copy files or build artifacts to a remote machine over SSH.",
            ),
        ),
    )
