"""Power Platform: environments with Dataverse, through an application user."""

from __future__ import annotations

from sluice.plugin import Connection, Family, Input, Task, TaskRun, hookimpl
from sluice_power_platform._types import POWER_PLATFORM


def verify(connection: Connection) -> str:
    """Get a token of Entra and ask the environment who it is of."""
    from sluice_power_platform._environment import verify

    return verify(connection)


def who_am_i(run: TaskRun) -> None:
    """`PowerPlatformWhoAmi@2`: log in to the environment and tell as whom."""
    from sluice_power_platform._tasks import who_am_i

    who_am_i(run)


def set_connection_variables(run: TaskRun) -> None:
    """`PowerPlatformSetConnectionVariables@2`: secret variables with what the connection holds."""
    from sluice_power_platform._tasks import set_connection_variables

    set_connection_variables(run)


_CONNECTION = (
    Input(
        "authenticationType",
        type="radio",
        label="Authentication type",
        required=True,
        default="PowerPlatformEnvironment",
        options=("PowerPlatformEnvironment", "PowerPlatformSPN"),
    ),
    Input(
        "PowerPlatformEnvironment",
        type="connectedService:Generic",
        label="Service connection",
        required=True,
        visible="authenticationType = PowerPlatformEnvironment",
        help="User name and password of an account without a second factor.",
    ),
    Input(
        "PowerPlatformSPN",
        type="connectedService:powerplatform-spn",
        label="Service connection",
        required=True,
        visible="authenticationType = PowerPlatformSPN",
        help="An application user of the environment.",
    ),
    Input(
        "Environment",
        label="Environment Url",
        default="$(BuildTools.EnvironmentUrl)",
        help="Else the variable BuildTools.EnvironmentUrl counts, else the connection's own address.",
    ),
)
_APPLICATION = (
    Input(
        "ApplicationId",
        label="Application Id",
        required=True,
        visible="authenticationType = PowerPlatformEnvironment",
    ),
    Input(
        "RedirectUri",
        label="Redirect Uri",
        required=True,
        visible="authenticationType = PowerPlatformEnvironment",
    ),
)


@hookimpl
def sluice_family() -> Family:
    return Family(
        types=(POWER_PLATFORM,),
        verify={POWER_PLATFORM.name: verify},
        tasks=(
            Task(
                "PowerPlatformWhoAmi@2",
                who_am_i,
                id="0b0bfed5-a97d-4a64-ab3e-220eb9da6780",
                label="Power Platform WhoAmI",
                summary="Verify a Power Platform environment service connection by connecting and making a WhoAmI request.",
                inputs=_CONNECTION,
            ),
            Task(
                "PowerPlatformSetConnectionVariables@2",
                set_connection_variables,
                id="d91997db-d6a0-42ed-ad3a-954b80e043ef",
                label="Power Platform Set Connection Variables",
                summary="Set BuildTools.* variables for scripts that use a service connection.",
                inputs=(*_CONNECTION, *_APPLICATION),
            ),
        ),
    )
