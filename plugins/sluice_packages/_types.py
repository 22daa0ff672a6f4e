"""The connection types: keys, schemes and labels as Azure Pipelines has them."""

from __future__ import annotations

from sluice.plugin import ConnectionType, Field, Scheme, Url

_ONE_LINE = r"[^\x00-\x1f\x7f]+"
_NO_LINES = "it is one line, without control characters"


def _text(key: str, label: str, help_text: str, *, most: int = 0, secret: bool = False) -> Field:
    return Field(
        key,
        label,
        secret=secret,
        required=True,
        validation=rf"[^\x00-\x1f\x7f]{{1,{most}}}" if most else _ONE_LINE,
        validation_message=f"{_NO_LINES}, of {most} characters at most" if most else _NO_LINES,
        help=help_text,
    )


def _password(label: str = "Username and Password", *, most: int = 300) -> Scheme:
    return Scheme(
        "UsernamePassword",
        label,
        (
            _text("username", "Username", "Account name sent to the remote service.", most=min(most, 300)),
            _text("password", "Password", "Password of that account.", most=most, secret=True),
        ),
    )


def _token(help_text: str, label: str = "Authentication Token", field_label: str = "Personal Access Token") -> Scheme:
    return Scheme("Token", label, (_text("apitoken", field_label, help_text, secret=True),))


NPM = ConnectionType(
    "externalnpmregistry",
    "npm",
    summary="npm registry outside this organization.",
    url=Url(label="Registry URL", help="Root of the registry, such as https://registry.npmjs.org/."),
    schemes=(_password(), _token("Registry token or personal access token.")),
)

NUGET = ConnectionType(
    "externalnugetfeed",
    "NuGet",
    summary="NuGet feed outside this organization.",
    url=Url(label="Feed URL", help="Usually ends with index.json, such as https://api.nuget.org/v3/index.json."),
    schemes=(
        Scheme("None", "ApiKey", (_text("nugetkey", "ApiKey", "API key, used for push only.", secret=True),)),
        _token("Token for a feed of another organization or server.", "External Azure DevOps Server"),
        _password("Basic Authentication", most=900),
    ),
)

MAVEN = ConnectionType(
    "externalmavenrepository",
    "Maven",
    summary="Maven repository outside this organization.",
    url=Url(label="Repository URL", help="Address of the repository, as in distributionManagement or a mirror."),
    schemes=(_password(), _token("Token.")),
    data=(
        _text(
            "RepositoryId",
            "Repository Id",
            "Id of the server entry that matches the id of the repository or mirror in the Maven settings.",
            most=50,
        ),
    ),
)

PYTHON_DOWNLOAD = ConnectionType(
    "externalPythonDownloadFeed",
    "Python package download",
    summary="Python index to install from.",
    url=Url(label="Python repository url for download", help="An index, such as https://pypi.org/simple/."),
    schemes=(_password(), _token("Token.")),
)

PYTHON_UPLOAD = ConnectionType(
    "externalPythonUploadFeed",
    "Python package upload",
    summary="Python repository to upload to with twine.",
    url=Url(label="Python repository url for upload", help="Such as https://upload.pypi.org/legacy/."),
    schemes=(_password(), _token("Token.")),
    data=(
        Field(
            "EndpointName",
            "EndpointName",
            required=True,
            validation=r"[A-Za-z0-9._-]{1,50}",
            validation_message="letters, digits, '.', '_' and '-', of 50 characters at most",
            help="Repository name for twine -r; no spaces or special characters.",
        ),
    ),
)

CARGO = ConnectionType(
    "externalcargorepository",
    "Cargo",
    summary="Cargo crate registry outside this organization.",
    url=Url(
        label="Repository URL",
        help="Of the registry's sparse index, as in config.toml without 'sparse+'; of crates.io its home page.",
    ),
    schemes=(
        Scheme(
            "UsernamePassword",
            "Basic username/password (including Azure DevOps PATs)",
            (
                _text("username", "Username", "Account name; any value when the password is a personal access token."),
                _text("password", "Password", "Password or personal access token.", secret=True),
            ),
        ),
        _token(
            "Authorization value.",
            "Authorization value (including tokens of the public Cargo registry)",
            "Token",
        ),
    ),
)
