"""What goes wrong with a request, as Azure DevOps tells it."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from sluice.errors import (
    ConflictError,
    ConnectionInvalidError,
    NotFoundError,
    NotPermittedError,
    PipelineError,
    PluginError,
    SecureFileInvalidError,
    SluiceError,
    StorageError,
    TrustNeededError,
    UsageError,
    VariableGroupInvalidError,
    VerificationError,
)

_NAMESPACES = {
    "ProjectDoesNotExistWithNameException": "Microsoft.TeamFoundation.Core.WebApi",
    "ProjectDoesNotExistException": "Microsoft.TeamFoundation.Core.WebApi",
    "DuplicateServiceConnectionException": "Microsoft.VisualStudio.Services.ServiceEndpoints.WebApi",
    "ServiceEndpointException": "Microsoft.VisualStudio.Services.ServiceEndpoints.WebApi",
    "PipelineValidationException": "Microsoft.Azure.Pipelines.WebApi",
    "BuildNotFoundException": "Microsoft.TeamFoundation.Build.WebApi",
}
_COMMON = "Microsoft.VisualStudio.Services.Common"


class Problem(Exception):  # noqa: N818  # it is the answer to a request, not a defect
    """A request that is answered with an error: status, type and message, and headers that go with it."""

    def __init__(
        self,
        status: int,
        type_key: str,
        message: str,
        headers: Mapping[str, str] | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = int(status)
        self.type_key = type_key
        self.message = message
        self.headers = dict(headers or {})
        self.details = dict(details or {})
        self.error: SluiceError | None = None
        """What the person is told in full, where it is an error of ours."""

    def body(self) -> dict[str, Any]:
        """The error as clients of Azure DevOps read it."""
        namespace = _NAMESPACES.get(self.type_key, _COMMON)
        found: dict[str, Any] = {
            "$id": "1",
            "innerException": None,
            "message": self.message,
            "typeName": f"{namespace}.{self.type_key}, {namespace}",
            "typeKey": self.type_key,
            "errorCode": 0,
            "eventId": 3000,
        }
        if self.details:
            found["customProperties"] = self.details
        return found


def bad_argument(message: str) -> Problem:
    """The request does not say what it has to say."""
    return Problem(HTTPStatus.BAD_REQUEST, "ArgumentException", message)


def not_found(message: str, type_key: str = "NotFoundException") -> Problem:
    """What the request names does not exist, or not for this person."""
    return Problem(HTTPStatus.NOT_FOUND, type_key, message)


def refused(message: str) -> Problem:
    """The person is known and may not."""
    return Problem(HTTPStatus.FORBIDDEN, "AccessCheckException", message)


_KINDS: tuple[tuple[type[SluiceError], int, str], ...] = (
    (NotPermittedError, HTTPStatus.FORBIDDEN, "AccessCheckException"),
    (NotFoundError, HTTPStatus.NOT_FOUND, "NotFoundException"),
    (PipelineError, HTTPStatus.BAD_REQUEST, "PipelineValidationException"),
    (ConflictError, HTTPStatus.CONFLICT, "ConflictException"),
    (ConnectionInvalidError, HTTPStatus.BAD_REQUEST, "ServiceEndpointException"),
    (VariableGroupInvalidError, HTTPStatus.BAD_REQUEST, "VariableGroupException"),
    (SecureFileInvalidError, HTTPStatus.BAD_REQUEST, "SecureFileException"),
    (PluginError, HTTPStatus.BAD_REQUEST, "ArgumentException"),
    (UsageError, HTTPStatus.BAD_REQUEST, "ArgumentException"),
    (VerificationError, HTTPStatus.BAD_REQUEST, "ServiceEndpointException"),
    (TrustNeededError, HTTPStatus.BAD_REQUEST, "ServiceEndpointException"),
    (StorageError, HTTPStatus.SERVICE_UNAVAILABLE, "ServiceUnavailableException"),
)


def problem_of(error: SluiceError) -> Problem:
    """How an error of ours is told; what to do next is part of its message."""
    status, type_key = next(
        ((status, type_key) for kind, status, type_key in _KINDS if isinstance(error, kind)),
        (int(HTTPStatus.INTERNAL_SERVER_ERROR), "SluiceException"),
    )
    found = Problem(status, type_key, str(error))
    found.error = error
    return found
