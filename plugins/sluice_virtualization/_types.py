"""The connection types: keys, schemes and labels as Azure Pipelines has them, and additions that say so."""

from __future__ import annotations

from sluice.plugin import ConnectionType, Field, Scheme, Url

VMM_PORT = 8100
_ACCOUNT = r"[^@\s]+"
_NO_ACCOUNT = "names as 'user@domain' are not supported: write 'domain\\user', 'machine\\user', '.\\user' or 'user'"
_PORT = r"0*([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"

_BASIC = Scheme(
    "UsernamePassword",
    "Basic Authentication",
    (
        Field(
            "username",
            "Username",
            required=True,
            validation=_ACCOUNT,
            validation_message=_NO_ACCOUNT,
            help="Such as domain\\user, machine\\user, .\\user or user.",
        ),
        Field("password", "Password", secret=True, required=True, help="Password of that account."),
    ),
)

SCVMM = ConnectionType(
    "scvmm",
    "SCVMM",
    summary="System Center Virtual Machine Manager: checkpoints, start and stop of virtual machines, scripts.",
    url=Url(label="SCVMM Server Name", help="Host and port of the VMM server: machine.domain.com:8100.", bare=True),
    schemes=(_BASIC,),
    data=(
        Field(
            "winrmProtocol",
            "WinRM protocol",
            kind="choice",
            choices=("https", "http"),
            default="https",
            generated=True,
            help="An addition of Sluice: how the server is reached; over http every message is encrypted by NTLM.",
        ),
        Field(
            "winrmPort",
            "WinRM port",
            kind="number",
            generated=True,
            address=True,
            validation=_PORT,
            validation_message="a port is a number from 1 to 65535",
            help="An addition of Sluice: port of WinRM on the server; 5986 for https, 5985 for http.",
        ),
    ),
)

VMWARE = ConnectionType(
    "vmware",
    "VMware vCenter Server",
    summary="vCenter Server: provision, start, stop and snapshot virtual machines.",
    url=Url(label="vCenter Server URL", help="Such as https://machine.domain.com/.", schemes=("https",)),
    schemes=(_BASIC,),
)
