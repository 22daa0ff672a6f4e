"""The types of service connections, made of what plugins and extensions declare."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends
from starlette.responses import Response

from sluice.connections.catalogue import Catalogue
from sluice.server.rest.call import Call
from sluice.server.rest.routing import call_of, resource

if TYPE_CHECKING:
    from sluice.hooks.declaration import ConnectionType, Field, Scheme

router = resource("serviceendpoint")
Here = Annotated[Call, Depends(call_of("5a7938a4-655e-486c-b562-b78c54a7e87b"))]

_MODES = {"multiline": "textArea", "boolean": "checkBox", "choice": "combo"}
_DATA_TYPES = {"number": "number", "boolean": "boolean"}


@router.get("/_apis/serviceendpoint/types", summary="The types of service connections")
def list_types(call: Here, type: str = "", scheme: str = "") -> Response:
    """List the types with their fields, by name; of one type, or those that have a scheme."""
    call.caller.guard.require_scope("vso.serviceendpoint")
    found = [
        kind
        for kind in Catalogue.installed().all()
        if (not type or kind.name.casefold() == type.casefold()) and (not scheme or kind.scheme(scheme) is not None)
    ]
    return call.collection(_view(kind) for kind in found)


def _view(kind: ConnectionType) -> dict[str, Any]:
    url = kind.url
    return {
        "name": kind.name,
        "displayName": kind.label,
        "description": kind.summary,
        "endpointUrl": {
            "displayName": url.label,
            "helpText": url.help,
            "value": url.default or None,
            "format": url.template or None,
            "isVisible": "true" if url.entered else "false",
        },
        "inputDescriptors": _inputs(kind.data, ""),
        "authenticationSchemes": [_scheme(scheme) for scheme in kind.schemes],
        "dataSources": [
            {
                "name": "TestConnection",
                "endpointUrl": "{{endpoint.url}}",
                "resourceUrl": "",
                "resultSelector": "",
                "headers": [],
            }
        ],
        "dependencyData": [],
        "trustedHosts": [],
        "iconUrl": None,
        "helpLink": None,
        "helpMarkDown": kind.summary,
        "uiContributionId": None,
    }


def _scheme(scheme: Scheme) -> dict[str, Any]:
    return {
        "scheme": scheme.name,
        "displayName": scheme.label,
        "inputDescriptors": _inputs(scheme.parameters, "AuthenticationParameter"),
        "authorizationHeaders": [],
        "clientCertificates": [],
        "dataSourceBindings": [],
        "requiresOAuth2Configuration": False,
        "properties": {},
    }


def _inputs(fields: Sequence[Field], group: str) -> list[dict[str, Any]]:
    return [
        {
            "id": field.key,
            "name": field.label,
            "description": field.help,
            "inputMode": "passwordBox" if field.secret else _MODES.get(field.kind, "textBox"),
            "isConfidential": field.secret,
            "useInDefaultDescription": False,
            "groupName": group or None,
            "valueHint": None,
            "validation": {
                "dataType": _DATA_TYPES.get(field.kind, "string"),
                "isRequired": field.required,
                "pattern": field.validation or None,
                "patternMismatchErrorMessage": field.validation_message or None,
            },
            "values": {
                "inputId": field.key,
                "defaultValue": None if field.secret else field.default or None,
                "possibleValues": [{"value": one, "displayValue": one} for one in field.choices],
                "isLimitedToPossibleValues": field.kind == "choice",
                "isDisabled": False,
                "isReadOnly": field.generated,
            },
            "properties": {"visibleRule": f"{field.when[0]} == {' || '.join(field.when[1:])}"} if field.when else {},
            "hasDynamicValueInformation": False,
        }
        for field in fields
    ]
