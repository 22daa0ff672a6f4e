"""`PowerPlatformWhoAmi@2` and `PowerPlatformSetConnectionVariables@2`: a connection tried and handed on."""

from __future__ import annotations

from sluice.plugin import Connection, Secret, TaskFailedError, TaskRun
from sluice_power_platform import _environment

ENVIRONMENT = "BuildTools.EnvironmentUrl"
_TYPES = ("PowerPlatformSPN", "PowerPlatformEnvironment")


def who_am_i(run: TaskRun) -> None:
    """Log in to the environment and tell as whom."""
    connection = _connection(run)
    environment = _environment_url(run, connection)
    known = _environment.who_am_i(connection, environment)
    run.say("Who am I in the environment:")
    run.say(f"  Environment URL:  {environment}")
    run.say(f"  User ID:          {known.user}")
    run.say(f"  Business Unit ID: {known.business_unit}")
    run.say(f"  Organization ID:  {known.organization}")


def set_connection_variables(run: TaskRun) -> None:
    """Secret variables with what the connection holds, for scripts that log in by themselves."""
    connection = _connection(run)
    environment = _environment_url(run, connection)
    if run.input("authenticationType") == "PowerPlatformSPN":
        if connection.scheme.casefold() != "none":
            raise TaskFailedError(
                "the connection has no client secret that scripts could be given",
                where=connection.name,
                why=f"its authentication scheme is {connection.scheme}",
            )
        secret = _secret(connection, "clientSecret")
        application = connection.text("applicationId")
        values = {
            "ApplicationId": application,
            "ClientSecret": secret,
            "TenantId": connection.text("tenantId"),
            "DataverseConnectionString": (
                f"AuthType=ClientSecret;url={environment};ClientId={application};ClientSecret={secret}"
            ),
        }
    else:
        values = _of_account(run, connection, environment)
    for name, value in values.items():
        run.set_variable(f"BuildTools.{name}", Secret(value))


def _of_account(run: TaskRun, connection: Connection, environment: str) -> dict[str, str]:
    username, password = connection.text("username"), _secret(connection, "password")
    values = {"UserName": username, "Password": password}
    application, redirect = run.input("ApplicationId").strip(), run.input("RedirectUri").strip()
    if application and redirect:
        values["DataverseConnectionString"] = (
            f"AuthType=OAuth;url={environment};UserName={username};Password={password};"
            f"AppId={application};RedirectUri={redirect}"
        )
    else:
        run.say(
            "BuildTools.DataverseConnectionString variable was not set. ApplicationId and RedirectUri are required to "
            "generate a valid Dataverse connection string."
        )
    return values


def _connection(run: TaskRun) -> Connection:
    kind = run.input("authenticationType").strip()
    if kind not in _TYPES:
        raise TaskFailedError(f"authenticationType '{kind}' is none of {', '.join(_TYPES)}", where=run.task)
    return run.connection(kind)


def _environment_url(run: TaskRun, connection: Connection) -> str:
    """The input, else what an earlier task has set, else the connection's own."""
    given = run.input("Environment").strip()
    if given.startswith("$("):  # a variable that is not set
        given = ""
    return _environment.address(connection, given or run.variable(ENVIRONMENT) or connection.url)


def _secret(connection: Connection, key: str) -> str:
    found = connection.secret(key)
    if not found:
        raise TaskFailedError(f"the connection has no {key}", where=connection.name)
    return found.reveal()
