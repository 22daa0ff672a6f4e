"""The connection types: keys, schemes and labels as Azure Pipelines has them, and additions that say so."""

from __future__ import annotations

from sluice.plugin import ConnectionType, Field, Scheme, Url

DOCKER_HUB = "https://index.docker.io/v1/"

_GUID = r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_PEM = r"(?s).*-----BEGIN [A-Z0-9 ]{{0,40}}{what}-----.*"
_NO_PEM = "it is no PEM text: give the whole file, from '-----BEGIN' on"


def _pem(key: str, label: str, what: str, help_text: str) -> Field:
    return Field(
        key,
        label,
        secret=True,
        required=True,
        kind="multiline",
        validation=_PEM.format(what=what),
        validation_message=_NO_PEM,
        help=help_text,
    )


HOST = ConnectionType(
    "dockerhost",
    "Docker Host",
    summary="Docker daemon over mutual TLS.",
    url=Url(
        label="Server URL",
        help="Address of the daemon, as 'docker -H' takes it: tcp://host:2376, or (an addition of Sluice) ssh://user@host.",
        schemes=("tcp", "https", "ssh"),
    ),
    schemes=(
        Scheme(
            "Certificate",
            "Certificate Based",
            (
                _pem("cacert", "CA Certificate", "CERTIFICATE", "Contents of ca.pem."),
                _pem("cert", "Certificate", "CERTIFICATE", "Contents of cert.pem (client certificate)."),
                _pem("key", "Key", "PRIVATE KEY", "Contents of key.pem (client key)."),
                Field(
                    "certificate",
                    "Certificate",
                    secret=True,
                    generated=True,
                    help="Left over from the generic certificate scheme; not read by the Docker tasks.",
                ),
            ),
        ),
        Scheme(
            "PrivateKey",
            "SSH private key (an addition of Sluice)",
            (
                Field(
                    "privatekey",
                    "Private key",
                    secret=True,
                    required=True,
                    kind="multiline",
                    validation=_PEM.format(what="PRIVATE KEY"),
                    validation_message=_NO_PEM,
                    help="For ssh:// addresses: the whole private key file, without a passphrase.",
                ),
                Field(
                    "knownhosts",
                    "Known hosts",
                    required=True,
                    kind="multiline",
                    help="The host's line of a known_hosts file, such as 'ssh-keyscan HOST' prints it: no other key is taken.",
                ),
            ),
        ),
    ),
)

_TENANT = Field(
    "tenantid",
    "Tenant ID",
    required=True,
    validation=_GUID,
    validation_message="a tenant is named by its id, such as 00000000-0000-0000-0000-000000000000",
    help="Entra tenant.",
)
_LOGIN_SERVER = Field(
    "loginServer",
    "Docker Registry Login Server",
    required=True,
    address=True,
    validation=r"[A-Za-z0-9][A-Za-z0-9.-]{0,250}(:[0-9]{1,5})?",
    validation_message="give the host alone, such as example.azurecr.io",
    help="Registry host, for example {name}.azurecr.io.",
)
_SCOPE = Field("scope", "Scope", generated=True, help="ARM id of the registry, where the role is assigned.")

REGISTRY = ConnectionType(
    "dockerregistry",
    "Docker Registry",
    summary="Container registry: Docker Hub, any other registry, or Azure Container Registry.",
    url=Url(entered=False, required=False, template="https://hub.docker.com/"),
    schemes=(
        Scheme(
            "UsernamePassword",
            "Basic Authentication",
            (
                Field(
                    "registry",
                    "Docker Registry",
                    default=DOCKER_HUB,
                    address=True,
                    help="Registry URL used for docker login.",
                ),
                Field("username", "Docker ID", required=True, help="Account name at the registry."),
                Field(
                    "password",
                    "Docker Password",
                    secret=True,
                    required=True,
                    help="Password; Docker Hub wants a personal access token here.",
                ),
                Field("email", "Email", help="Notification address."),
            ),
        ),
        Scheme(
            "ServicePrincipal",
            "Service Principal Authentication",
            (
                _LOGIN_SERVER,
                Field(
                    "serviceprincipalid",
                    "Service Principal Id",
                    required=True,
                    help="Client id; used as docker user name.",
                ),
                Field(
                    "authenticationType",
                    "Credential",
                    kind="choice",
                    choices=("spnKey", "spnCertificate"),
                    default="spnKey",
                    help="Stored credential kind.",
                ),
                Field(
                    "serviceprincipalkey",
                    "Service principal key",
                    secret=True,
                    help="Client secret; used as docker password. Needed for spnKey.",
                ),
                Field(
                    "servicePrincipalCertificate",
                    "Certificate",
                    secret=True,
                    kind="multiline",
                    help="PEM with certificate and private key. Needed for spnCertificate.",
                ),
                _TENANT,
                _SCOPE,
                Field("role", "Role", generated=True, help="Role to assign."),
                Field("accessToken", "Access Token", secret=True, generated=True, help="One-time creation token."),
                Field(
                    "accessTokenFetchingMethod", "Access Fetching Method", generated=True, help="How it was obtained."
                ),
            ),
        ),
        Scheme("ManagedServiceIdentity", "Managed Service Identity", (_TENANT, _LOGIN_SERVER)),
        Scheme(
            "WorkloadIdentityFederation",
            "Workload Identity federation",
            (
                Field("serviceprincipalid", "Service Principal Id", help="Client id."),
                _TENANT,
                _LOGIN_SERVER,
                _SCOPE,
                Field("workloadIdentityFederationIssuer", "Issuer", generated=True, help="Who signs the tokens."),
                Field(
                    "workloadIdentityFederationSubject",
                    "Subject identifier",
                    generated=True,
                    help="Whom the tokens are about.",
                ),
            ),
        ),
    ),
    data=(
        Field(
            "registrytype",
            "Registry Type",
            kind="choice",
            choices=("Others", "DockerHub", "ACR"),
            default="Others",
            help="Which kind of registry.",
        ),
        Field("subscriptionId", "Azure Subscription Id", help="Subscription of the registry (ACR)."),
        Field("subscriptionName", "Azure Subscription Name", help="Name of that subscription (ACR)."),
        Field("registryId", "ACR Name", generated=True, help="ARM id of the registry."),
        Field("creationMode", "Creation Mode", generated=True, help="Automatic or Manual, for federation."),
        Field("spnObjectId", "Service Principal Object Id", generated=True, help="Object id of the service principal."),
        Field("appObjectId", "Application Object Id", generated=True, help="Object id of the app registration."),
        Field("azureSpnRoleAssignmentId", "Role Assignment Id", generated=True, help="Role assignment id."),
        Field("azureSpnPermissions", "Azure permissions", generated=True, help="Serialized permissions."),
    ),
)
