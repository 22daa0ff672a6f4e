"""The connection types: keys, schemes and labels as Azure Pipelines has them, and additions that say so."""

from __future__ import annotations

from sluice.plugin import ConnectionType, Field, Scheme, Url

GUID = r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
APP_CENTER_API = "https://api.appcenter.ms/v0.1"

JENKINS = ConnectionType(
    "jenkins",
    "Jenkins",
    summary="Jenkins server.",
    url=Url(label="Server URL", help="The address of Jenkins, with its path if it has one."),
    schemes=(
        Scheme(
            "UsernamePassword",
            "Basic Authentication",
            (
                Field("username", "Username", required=True, help="Account name sent to the remote service."),
                Field(
                    "password",
                    "Password",
                    secret=True,
                    required=True,
                    help="Password of that account, or better an API token of it.",
                ),
            ),
        ),
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

JIRA = ConnectionType(
    "jira",
    "Jira",
    summary="Jira site, for tasks that update issues.",
    url=Url(label="Server URL", help="The address of the site, such as https://example.atlassian.net/"),
    schemes=(
        Scheme(
            "JiraConnectApp",
            "Jira Connect App",
            (
                Field(
                    "configurationId",
                    "Jira Configuration",
                    required=True,
                    validation=GUID,
                    validation_message="a Jira configuration is named by its id, such as "
                    "00000000-0000-0000-0000-000000000000",
                    help="Id of the stored Jira app configuration.",
                ),
                Field(
                    "appKey",
                    "App key",
                    generated=True,
                    help="An addition of Sluice: the key of an Atlassian Connect app of your own on that site.",
                ),
                Field(
                    "sharedSecret",
                    "Shared secret",
                    secret=True,
                    generated=True,
                    help="An addition of Sluice: the secret that the site gave the app when it was installed; requests "
                    "are signed with it. Without it no task can use the connection.",
                ),
            ),
        ),
        Scheme(
            "UsernamePassword",
            "Email and API token",
            (
                Field("username", "Email or user name", required=True, help="An addition of Sluice: the account."),
                Field(
                    "password",
                    "API token or password",
                    secret=True,
                    required=True,
                    help="An addition of Sluice: an API token of the account (Jira Cloud), or its password.",
                ),
            ),
        ),
        Scheme(
            "Token",
            "Personal access token",
            (
                Field(
                    "apitoken",
                    "Personal access token",
                    secret=True,
                    required=True,
                    help="An addition of Sluice: a personal access token of Jira Data Center.",
                ),
            ),
        ),
    ),
)

CHEF = ConnectionType(
    "chef",
    "Chef",
    summary="Chef automation server.",
    url=Url(
        label="Server URL",
        help="The address of the organization, such as https://chef.example.com/organizations/example",
    ),
    schemes=(
        Scheme(
            "UsernamePassword",
            "Basic Authentication",
            (
                Field("username", "Node Name (Username)", required=True, help="Chef node or user name."),
                Field(
                    "password",
                    "Client Key",
                    secret=True,
                    required=True,
                    kind="multiline",
                    validation=r"(?s).*-----BEGIN (RSA )?PRIVATE KEY-----.*",
                    validation_message="it is no client key: give the whole .pem file, from "
                    "'-----BEGIN RSA PRIVATE KEY-----' on",
                    help="Contents of the .pem client key; requests are signed with it, it is never sent.",
                ),
            ),
        ),
    ),
)

APP_CENTER = ConnectionType(
    "vsmobilecenter",
    "Visual Studio App Center",
    summary="App Center API.",
    url=Url(label="Server URL", default=APP_CENTER_API),
    schemes=(
        Scheme(
            "Token",
            "Token Based Authentication",
            (Field("apitoken", "API Token", secret=True, required=True, help="App Center API token."),),
        ),
    ),
)
