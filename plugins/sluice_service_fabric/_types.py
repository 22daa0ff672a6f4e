"""The connection type: keys, schemes and labels as Azure Pipelines has them, and additions that say so."""

from __future__ import annotations

from sluice.plugin import ConnectionType, Field, Scheme, Url

_MAX = r"[\s\S]{1,300}"
_TOO_LONG = "it is longer than 300 characters"
_THUMBPRINTS = (
    r"[\s\u200e\u200f]*([0-9A-Fa-f][\s:\u200e\u200f]*){40}(,[\s\u200e\u200f]*([0-9A-Fa-f][\s:\u200e\u200f]*){40})*"
)

_SERVER = (
    Field(
        "certLookup",
        "Server Certificate Lookup",
        kind="choice",
        choices=("Thumbprint", "CommonName"),
        default="Thumbprint",
        help="How the cluster's certificate is known.",
    ),
    Field(
        "servercertthumbprint",
        "Server Certificate Thumbprint(s)",
        required=True,
        when=("certLookup", "Thumbprint"),
        validation=_THUMBPRINTS,
        validation_message="a thumbprint has 40 hexadecimal digits; several stand between commas",
        help="Thumbprints (SHA-1) of the cluster's certificates, between commas.",
    ),
    Field(
        "servercertcommonname",
        "Server Certificate Common Name(s)",
        required=True,
        when=("certLookup", "CommonName"),
        validation=_MAX,
        validation_message=_TOO_LONG,
        help="Common names of the cluster's certificates, between commas.",
    ),
)

SERVICE_FABRIC = ConnectionType(
    "servicefabric",
    "Service Fabric",
    summary="Service Fabric cluster.",
    url=Url(
        label="Cluster Endpoint",
        help="The client endpoint, such as tcp://mycluster.westeurope.cloudapp.azure.com:19000.",
        schemes=("tcp",),
    ),
    schemes=(
        Scheme(
            "Certificate",
            "Certificate based",
            (
                *_SERVER,
                Field(
                    "certificate",
                    "Client Certificate",
                    secret=True,
                    required=True,
                    kind="multiline",
                    validation=r"[A-Za-z0-9+/=\s]+",
                    validation_message="it is no base64: encode the client's .pfx file, such as with 'base64 client.pfx'",
                    help="The client's .pfx file (PKCS #12) in base64.",
                ),
                Field(
                    "certificatepassword",
                    "Password",
                    secret=True,
                    validation=_MAX,
                    validation_message=_TOO_LONG,
                    help="Password of the .pfx file.",
                ),
            ),
        ),
        Scheme(
            "UsernamePassword",
            "Microsoft Entra credential",
            (
                *_SERVER,
                Field(
                    "username",
                    "Username",
                    required=True,
                    validation=_MAX,
                    validation_message=_TOO_LONG,
                    help="Entra account; one that needs a second factor cannot be used.",
                ),
                Field(
                    "password",
                    "Password",
                    secret=True,
                    required=True,
                    validation=_MAX,
                    validation_message=_TOO_LONG,
                    help="Password of that account.",
                ),
            ),
        ),
        Scheme(
            "None",
            "Windows security using gMSA",
            (
                Field("Unsecured", "Unsecured", kind="boolean", help="Connect without Windows security."),
                Field(
                    "ClusterSpn",
                    "Cluster SPN",
                    when=("Unsecured", "false"),
                    validation=_MAX,
                    validation_message=_TOO_LONG,
                    help="Fully qualified domain SPN of the cluster's gMSA account; needed unless it is unsecured.",
                ),
            ),
        ),
    ),
    data=(
        Field(
            "httpGatewayEndpoint",
            "HTTP gateway",
            generated=True,
            address=True,
            validation=r"https?://[^/\s]+/?",
            validation_message="the address of a gateway is such as https://mycluster.example.com:19080",
            help="An addition of Sluice: where the cluster's HTTP gateway is, unless at port 19080 of the endpoint.",
        ),
    ),
)
