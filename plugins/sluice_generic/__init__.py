"""Generic connections (any URL with an optional user name and password or token), and incoming webhooks."""

from __future__ import annotations

from sluice.plugin import Connection, ConnectionType, Family, Field, Scheme, Url, hookimpl

GENERIC = ConnectionType(
    "generic",
    "Generic",
    summary="Any URL with an optional user name and password or token.",
    url=Url(label="Server URL", required=True, schemes=()),
    schemes=(
        Scheme(
            "UsernamePassword",
            "Basic Authentication",
            (
                Field("username", "Username", help="Account name sent to the remote service."),
                Field("password", "Password/Token Key", secret=True, help="Password or token."),
            ),
        ),
    ),
)

INCOMING_WEBHOOK = ConnectionType(
    "incomingwebhook",
    "Incoming WebHook",
    summary="Lets an external POST start pipelines that declare the webhook resource.",
    url=Url(label="(hidden)", entered=False, required=False, template="https://dev.azure.com", schemes=("https",)),
    schemes=(
        Scheme(
            "None",
            "No Authentication",
            (
                Field(
                    "webhookname",
                    "WebHook Name",
                    required=True,
                    validation=r"[-_A-Za-z0-9]{1,256}",
                    validation_message="a webhook's name has letters, digits, - and _ only: it is part of an address",
                    help="Name in the trigger URL.",
                ),
                Field(
                    "secret",
                    "Secret",
                    secret=True,
                    help="Shared secret, which the checksum of each message is made with; without it anybody who knows "
                    "the address may start runs.",
                ),
                Field(
                    "header",
                    "HTTP Header",
                    validation=r"[-!#$%&'*+.^_`|~0-9A-Za-z]{1,256}",
                    validation_message="this is no name of an HTTP header",
                    help="Header of a message that holds its checksum, such as X-Hub-Signature: sha1= and the HMAC-SHA1 "
                    "of the body in hexadecimal digits; sha256= with that hash is taken as well.",
                ),
            ),
        ),
    ),
)


def verify(connection: Connection) -> str:
    """Get the URL with Basic authentication and answer what the server said."""
    from sluice_generic._verification import verify

    return verify(connection)


def verify_webhook(connection: Connection) -> str:
    """Tell what a message has to show; there is nobody to be asked."""
    from sluice_generic._webhook import verify

    return verify(connection)


@hookimpl
def sluice_family() -> Family:
    return Family(
        types=(GENERIC, INCOMING_WEBHOOK),
        verify={GENERIC.name: verify, INCOMING_WEBHOOK.name: verify_webhook},
    )
