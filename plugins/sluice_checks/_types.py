"""What the kinds are called, what is set for them, and which function decides; settings are spelt as in REST."""

from __future__ import annotations

from sluice.plugin import CheckRun, CheckType, Decision, Field, Proposed
from sluice_checks._window import DAYS

MAX_MINUTES = 43_200
"""30 days: as long as a service may take to call back."""
TIME = r"([01]?[0-9]|2[0-3]):[0-5][0-9]"
TIME_MESSAGE = "a time of a day as HH:mm, such as 09:00 or 17:30"
METHODS = ("OPTIONS", "GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "PATCH")
BODY_METHODS = frozenset(METHODS) - {"GET", "HEAD"}
DEFAULT_HEADERS = """{
"Content-Type": "application/json",
"PlanUrl": "$(system.CollectionUri)",
"ProjectId": "$(system.TeamProjectId)",
"HubName": "$(system.HostType)",
"PlanId": "$(system.PlanId)",
"JobId": "$(system.JobId)",
"TimelineId": "$(system.TimelineId)",
"TaskInstanceId": "$(system.TaskInstanceId)",
"AuthToken": "$(system.AccessToken)"
}"""
"""Documented: what a service is told unless the check says otherwise."""


def _branch_control(run: CheckRun) -> Decision:
    from sluice_checks._branch_control import evaluate

    return evaluate(run)


def _branch_problems(proposed: Proposed) -> tuple[str, ...]:
    from sluice_checks._branch_control import problems

    return problems(proposed)


def _business_hours(run: CheckRun) -> Decision:
    from sluice_checks._business_hours import evaluate

    return evaluate(run)


def _hours_problems(proposed: Proposed) -> tuple[str, ...]:
    from sluice_checks._business_hours import problems

    return problems(proposed)


def _required_template(run: CheckRun) -> Decision:
    from sluice_checks._required_template import evaluate

    return evaluate(run)


def _template_problems(proposed: Proposed) -> tuple[str, ...]:
    from sluice_checks._required_template import problems

    return problems(proposed)


def _rest_api(run: CheckRun) -> Decision:
    from sluice_checks._rest_api import evaluate

    return evaluate(run)


def _rest_problems(proposed: Proposed) -> tuple[str, ...]:
    from sluice_checks._rest_api import problems

    return problems(proposed)


def _azure_function(run: CheckRun) -> Decision:
    from sluice_checks._azure_function import evaluate

    return evaluate(run)


def _function_problems(proposed: Proposed) -> tuple[str, ...]:
    from sluice_checks._azure_function import problems

    return problems(proposed)


def _artifacts(run: CheckRun) -> Decision:
    from sluice_checks._artifacts import evaluate

    return evaluate(run)


def _policy_problems(proposed: Proposed) -> tuple[str, ...]:
    from sluice_checks._artifacts import problems

    return problems(proposed)


def _azure_monitor(run: CheckRun) -> Decision:
    from sluice_checks._azure_monitor import evaluate

    return evaluate(run)


def _monitor_problems(proposed: Proposed) -> tuple[str, ...]:
    from sluice_checks._azure_monitor import problems

    return problems(proposed)


BRANCH_CONTROL = CheckType(
    "branch-control",
    "Branch control",
    _branch_control,
    summary="Every repository that is linked with the run is at an allowed branch.",
    definition_id="86b05a0c-73e6-4f7d-b3cf-e38f3b39a75b",
    definition_name="evaluatebranchProtection",
    definition_version="0.0.1",
    category="sanityChecks",
    fields=(
        Field(
            "allowedBranches",
            "Allowed branches",
            default="*",
            help="Full names with commas between them, such as refs/heads/main; * stands for any text.",
        ),
        Field(
            "ensureProtectionOfBranch",
            "The branches are protected",
            kind="boolean",
            default="false",
            help="Refuse branches without policies.",
        ),
        Field(
            "allowUnknownStatusBranch",
            "Allow branches whose protection is not known",
            kind="boolean",
            default="false",
            help="Only with the former: nobody can tell for a repository that is no GitHub's.",
        ),
    ),
    final=True,
    problems=_branch_problems,
)

BUSINESS_HOURS = CheckType(
    "business-hours",
    "Business hours",
    _business_hours,
    summary="The stage starts within a window of the week only.",
    definition_id="445fde2f-6c39-441c-807f-8a59ff2e075f",
    definition_name="evaluateBusinessHours",
    definition_version="0.0.1",
    fields=(
        Field("businessDays", "Days", required=True, default=", ".join(DAYS[:5]), help="English names, with commas."),
        Field(
            "startTime",
            "Start",
            required=True,
            default="09:00",
            validation=TIME,
            validation_message=TIME_MESSAGE,
        ),
        Field(
            "endTime",
            "End",
            required=True,
            default="17:00",
            validation=TIME,
            validation_message=TIME_MESSAGE,
            help="The next day's where it is not later than the start.",
        ),
        Field(
            "timeZone",
            "Time zone",
            required=True,
            default="UTC",
            help="As Windows calls it (W. Europe Standard Time), or a name of the tz database (Europe/Berlin).",
        ),
    ),
    retry_interval=5,
    bypassable=True,
    problems=_hours_problems,
)

REQUIRED_TEMPLATE = CheckType(
    "required-template",
    "Required template",
    _required_template,
    summary="The pipeline extends one of the listed templates.",
    type_id="4020e66e-b0f3-47e1-bc88-48f3cc59b5f3",
    type_name="ExtendsCheck",
    category="sanityChecks",
    fields=(
        Field(
            "extendsChecks",
            "Required templates",
            kind="multiline",
            required=True,
            help=(
                "A JSON list of {repositoryType (git, github, githubenterprise, bitbucket), repositoryName, "
                "repositoryRef, templatePath}; one of them suffices."
            ),
        ),
    ),
    final=True,
    record_type="Checkpoint.ExtendsCheck",
    problems=_template_problems,
)

_METHOD = Field("method", "Method", kind="choice", choices=METHODS, default="POST")
_HEADERS = Field(
    "headers",
    "Headers",
    kind="multiline",
    help="A JSON object; $(name) stands for a variable of the run. Without it the documented ones: PlanUrl, PlanId, ...",
)
_BODY = Field("body", "Body", kind="multiline", help="Sent unless the method is GET or HEAD.")
_COMPLETION = Field(
    "waitForCompletion",
    "Completion event",
    kind="choice",
    choices=("true", "false"),
    default="true",
    help="true: Callback, the service says later how it ended; false: ApiResponse, its answer decides.",
)
_CRITERIA = Field(
    "successCriteria",
    "Success criteria",
    help="An expression over root, the JSON of the answer, such as eq(root['status'], 'ok'). None: any 2xx passes.",
)

_GROUP = Field(
    "linkedVariableGroup",
    "Linked variable group",
    help="$(name) stands for its variables too, secret ones included; they go before those of the run.",
)

REST_API = CheckType(
    "rest-api",
    "Invoke REST API",
    _rest_api,
    summary="A service is asked, and decides at once or calls back.",
    definition_id="9c3e8943-130d-4c78-ac63-8af81df62dfb",
    definition_name="InvokeRESTAPI",
    definition_version="1.220.0",
    fields=(
        Field(
            "connectedServiceNameSelector",
            "Connection type",
            kind="choice",
            choices=("connectedServiceName", "connectedServiceNameARM"),
            default="connectedServiceName",
        ),
        Field(
            "connectedServiceName",
            "Generic service connection",
            kind="connection",
            connection_type="generic",
            help="Its URL is asked, with its user name and password.",
        ),
        Field(
            "connectedServiceNameARM",
            "Azure subscription",
            kind="connection",
            connection_type="azurerm",
            help="Its management API is asked, with a token of its identity.",
        ),
        _METHOD,
        _HEADERS,
        _BODY,
        Field("urlSuffix", "URL suffix and parameters", help="Follows the URL of the connection as it is."),
        _COMPLETION,
        _CRITERIA,
        _GROUP,
    ),
    max_timeout=MAX_MINUTES,
    on_timeout="skipped",
    bypassable=True,
    problems=_rest_problems,
)

AZURE_FUNCTION = CheckType(
    "azure-function",
    "Invoke Azure Function",
    _azure_function,
    summary="A function is asked with its key, and decides at once or calls back.",
    definition_id="537fdb7a-a601-4537-aa70-92645a2b5ce4",
    definition_name="AzureFunction",
    definition_version="1.0.10",
    fields=(
        Field("function", "Azure function URL", required=True, address=True),
        Field("key", "Function key", required=True, secret=True, help="Sent as x-functions-key; $(name) is allowed."),
        _METHOD,
        _HEADERS,
        Field("queryParameters", "Query parameters", help="Follow the URL; without ? or & at their beginning."),
        _BODY,
        _COMPLETION,
        _CRITERIA,
        _GROUP,
    ),
    max_timeout=MAX_MINUTES,
    on_timeout="skipped",
    bypassable=True,
    problems=_function_problems,
)

EVALUATE_ARTIFACT = CheckType(
    "evaluate-artifact",
    "Evaluate artifact",
    _artifacts,
    summary="A policy in Rego has nothing against the container images of the run.",
    definition_name="evaluateArtifact",
    category="sanityChecks",
    fields=(
        Field(
            "policy",
            "Policy",
            kind="multiline",
            required=True,
            help="Rego; rules such as check[errors] { ... } name what is wrong with values[i].image.resourceUri.",
        ),
    ),
    final=True,
    problems=_policy_problems,
)

AZURE_MONITOR = CheckType(
    "azure-monitor",
    "Query Azure Monitor alerts",
    _azure_monitor,
    summary="No alert that fits the filters is active.",
    definition_id="99a72e7f-25e4-4576-bf38-22a42b995ed8",
    definition_name="AzureMonitor",
    definition_version="1.157.2",
    fields=(
        Field(
            "connectedServiceNameARM",
            "Azure subscription",
            kind="connection",
            connection_type="azurerm",
            required=True,
        ),
        Field("ResourceGroupName", "Resource group", required=True),
        Field("filterType", "Filter type", kind="choice", choices=("none", "resource", "alertrule"), default="none"),
        Field("resource", "Resource", help="With filter type resource: type and name (Microsoft.Web/sites/shop)."),
        Field("alertRule", "Alert rule", help="With filter type alertrule: type and name (metricAlerts/errors)."),
        Field("severity", "Severity", default="Sev0,Sev1,Sev2,Sev3,Sev4", help="Sev0 to Sev4, with commas."),
        Field("timeRange", "Time range", kind="choice", choices=("1h", "1d", "7d", "30d"), default="1h"),
        Field("alertState", "Alert state", default="Acknowledged,New", help="New, Acknowledged, Closed, with commas."),
        Field("monitorCondition", "Monitor condition", default="Fired", help="Fired, Resolved, with commas."),
    ),
    retry_interval=5,
    problems=_monitor_problems,
)

TYPES: tuple[CheckType, ...] = (
    BRANCH_CONTROL,
    REQUIRED_TEMPLATE,
    EVALUATE_ARTIFACT,
    BUSINESS_HOURS,
    REST_API,
    AZURE_FUNCTION,
    AZURE_MONITOR,
)
