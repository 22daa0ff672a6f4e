"""The connection types: keys, schemes and labels as Azure Pipelines has them, and additions that say so."""

from __future__ import annotations

from sluice.plugin import ConnectionType, Field, Scheme, Url

GUID = r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"

_USERNAME = Field("username", "Username", required=True, help="Account name sent to the remote service.")
_PASSWORD = Field("password", "Password", secret=True, required=True, help="Password of that account.")
_BASIC = Scheme("UsernamePassword", "Basic Authentication", (_USERNAME, _PASSWORD))
_ACCESS_TOKEN = Field(
    "AccessToken", "Access token", secret=True, generated=True, help="Token obtained by the grant; paste it here."
)

_REFRESH = (
    Field(
        "RefreshToken",
        "Refresh token",
        secret=True,
        generated=True,
        help="An addition of Sluice: the token that new access tokens are got with, which then are got before each use "
        "that would be too late for the old one. Needs the OAuth app's ClientId and ClientSecret.",
    ),
    Field("ClientId", "Client id", generated=True, help="An addition of Sluice: id of the OAuth app of the grant."),
    Field(
        "ClientSecret",
        "Client secret",
        secret=True,
        generated=True,
        help="An addition of Sluice: secret of that OAuth app, which no step is given.",
    ),
)


def _configuration(label: str = "OAuth Configuration", *, guid: bool = True, required: bool = True) -> Field:
    return Field(
        "ConfigurationId",
        label,
        required=required,
        generated=not required,
        validation=GUID if guid else "",
        validation_message="an OAuth configuration is named by its id, such as 00000000-0000-0000-0000-000000000000",
        help="Id of the OAuth configuration used for the grant.",
    )


GITHUB = ConnectionType(
    "github",
    "GitHub",
    summary="github.com account or app installation.",
    url=Url(label="Server URL", entered=False, required=False, template="https://github.com", schemes=("https",)),
    schemes=(
        Scheme("OAuth2", "Grant authorization", (_configuration(), _ACCESS_TOKEN, *_REFRESH)),
        Scheme("OAuth", "Grant authorization (older name)", (_configuration(guid=False), _ACCESS_TOKEN)),
        Scheme(
            "Token",
            "Personal Access Token",
            (
                Field(
                    "AccessToken",
                    "Personal access token",
                    secret=True,
                    required=True,
                    help="Classic or fine-grained token; recommended scopes repo, user, admin:repo_hook.",
                ),
                Field(
                    "apitoken",
                    "API Token",
                    secret=True,
                    generated=True,
                    help="Left over from the generic token scheme; leave it empty.",
                ),
            ),
        ),
        Scheme(
            "PersonalAccessToken",
            "Personal Access Token (older name)",
            (
                Field(
                    "accessToken",
                    "Personal access token",
                    secret=True,
                    required=True,
                    help="The same token under the older scheme.",
                ),
            ),
        ),
        Scheme(
            "InstallationToken",
            "Azure Pipelines App",
            (
                _configuration("Auth Configuration Id", guid=False, required=False),
                Field(
                    "InstallationAccessToken",
                    "Installation access token",
                    secret=True,
                    generated=True,
                    help="Short-lived token of the installation; issued anew at each use when there is a private key.",
                ),
                Field(
                    "AppId",
                    "App id",
                    validation=r"[A-Za-z0-9.]+",
                    validation_message="the id of an app is a number, or its client id",
                    help="An addition of Sluice: id (or client id) of the GitHub app that is installed.",
                ),
                Field(
                    "InstallationId",
                    "Installation id",
                    kind="number",
                    help="An addition of Sluice: number of the installation; may be left out when the app has only one.",
                ),
                Field(
                    "PrivateKey",
                    "Private key",
                    secret=True,
                    kind="multiline",
                    help="An addition of Sluice: the app's private key (PEM), with which installation tokens are issued.",
                ),
            ),
        ),
    ),
)

GITHUB_ENTERPRISE = ConnectionType(
    "githubenterprise",
    "GitHub Enterprise Server",
    summary="Self-hosted GitHub.",
    url=Url(label="Server URL", help="Address of the server, such as https://github.example.com/."),
    schemes=(
        Scheme(
            "Token",
            "Personal Access Token",
            (
                Field(
                    "apitoken",
                    "Personal access token",
                    secret=True,
                    required=True,
                    validation=r"[^\r\n]+",
                    validation_message="a token is one line",
                    help="Token; recommended scopes repo, user, admin:repo_hook.",
                ),
            ),
        ),
        Scheme("UsernamePassword", "Username and Password", (_USERNAME, _PASSWORD)),
        Scheme("OAuth2", "OAuth2", (_configuration(), _ACCESS_TOKEN, *_REFRESH)),
    ),
    data=(
        Field(
            "acceptUntrustedCerts",
            "Accept untrusted TLS/SSL certificates",
            kind="boolean",
            help="Accept self-signed server certificates.",
        ),
    ),
)

BITBUCKET = ConnectionType(
    "bitbucket",
    "Bitbucket Cloud",
    summary="Bitbucket Cloud account.",
    url=Url(
        label="Server Url",
        entered=False,
        required=False,
        template="https://api.bitbucket.org/",
        schemes=("https",),
    ),
    schemes=(
        Scheme("OAuth2", "Grant authorization", (_configuration(), _ACCESS_TOKEN, *_REFRESH)),
        _BASIC,
        Scheme(
            "Token",
            "Email and API token",
            (
                Field("email", "Email", required=True, help="Account e-mail that owns the token."),
                Field("apitoken", "API token", secret=True, required=True, help="Bitbucket API token."),
            ),
        ),
    ),
    data=(
        Field("displayName", "DisplayName", generated=True, help="Display name of the owner login."),
        Field("avatarUrl", "Avatar URL", generated=True, help="Avatar of the owner login."),
    ),
)

EXTERNAL_TFS = ConnectionType(
    "externaltfs",
    "Azure Repos/Team Foundation Server",
    summary="Another Azure DevOps organization or project collection.",
    url=Url(label="Connection URL", help="Address of the organization or of the project collection."),
    schemes=(
        Scheme(
            "Token",
            "Token Based Authentication",
            (
                Field(
                    "apitoken",
                    "Personal Access Token",
                    secret=True,
                    required=True,
                    help="Personal access token of the other organization or collection.",
                ),
            ),
        ),
        _BASIC,
    ),
)

GIT = ConnectionType(
    "git",
    "Other Git",
    summary="Git server that is none of the named ones.",
    url=Url(
        label="Git repository URL",
        help="Address of the repository; or of a server, below which names lie.",
        schemes=("https", "http", "ssh"),
    ),
    default_scheme="UsernamePassword",
    schemes=(
        Scheme(
            "UsernamePassword",
            "Basic Authentication",
            (
                Field("username", "Username", help="Account name sent to the remote service."),
                Field("password", "Password/Token", secret=True, help="Password or token."),
            ),
        ),
        Scheme(
            "PrivateKey",
            "SSH key",
            (
                Field("username", "Username", default="git", help="An addition of Sluice: the account at the host."),
                Field(
                    "privatekey",
                    "Private key",
                    secret=True,
                    required=True,
                    kind="multiline",
                    validation=r"(?s).*-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----.*",
                    validation_message="it is no private key: give the whole file",
                    help="An addition of Sluice: the whole private key file, for a URL with ssh://.",
                ),
                Field(
                    "passphrase",
                    "Passphrase",
                    secret=True,
                    help="An addition of Sluice: the passphrase of the private key, where it has one.",
                ),
            ),
        ),
    ),
    data=(
        Field(
            "accessExternalGitServer",
            "Attempt accessing this Git server from Azure Pipelines",
            kind="boolean",
            default="true",
            help="Whether the service itself looks at the server for changes, as Azure Pipelines has it; kept as it is. "
            "Sluice contacts the server for runs and verification only.",
        ),
        Field(
            "HostKey",
            "Host key",
            kind="multiline",
            generated=True,
            help="An addition of Sluice: the public key that an SSH host must show, such as 'ssh-ed25519 AAAA...'; several are "
            "allowed, one a line. Without it nothing connects: 'sluice connection verify NAME' shows the key that the host has.",
        ),
    ),
)

SUBVERSION = ConnectionType(
    "subversion",
    "Subversion",
    summary="Subversion repository, or an extra credential for svn externals.",
    url=Url(
        label="Subversion repository URL",
        help="Such as https://svnserver/repo or svn://svnserver:3690/repositories/myrepo.",
        schemes=("https", "http", "svn"),
    ),
    schemes=(_BASIC,),
    data=(
        Field(
            "acceptUntrustedCerts",
            "Accept untrusted TLS/SSL certificates",
            kind="boolean",
            default="false",
            help="Same as svn --trust-server-cert.",
        ),
        Field(
            "realmName",
            "Realm name",
            help="Authentication realm, used with scheme, host and port to pick a credential.",
        ),
    ),
)
