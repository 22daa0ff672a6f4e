"""Who may do what with resources, as the stores ask it: in the transaction of the change, before it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from sluice.rights import Actor, Right, local_administrator

if TYPE_CHECKING:
    from sluice.storage.engine import Transaction
    from sluice.storage.permissions import Resource


class Guard(Protocol):
    """Decides for one acting person. `resource.id` is '' where a right in the project as a whole is asked for."""

    @property
    def actor(self) -> Actor:
        """The person."""

    def require(
        self, transaction: Transaction, right: Right, resource: Resource, name: str = "", *, pipeline_id: int = 0
    ) -> None:
        """Raise `NotPermittedError`, which says what is missing and who can give it, unless the person has the right.

        `name` is the resource's, `pipeline_id` the pipeline that is to be permitted. The refusal is audited where the
        transaction writes.
        """

    def allows(self, transaction: Transaction, right: Right, resource: Resource) -> bool:
        """Whether the person has the right. What one may not see is to be answered as if it did not exist.

        Raises `NotPermittedError` when the access token that speaks for the person lacks the scope for it.
        """

    def seen(self, transaction: Transaction, project_id: int, resource_type: str) -> Callable[[str], bool]:
        """Which of a project's resources the person sees, by id: for lists."""

    def created(
        self, transaction: Transaction, resource: Resource, name: str, *, at: float, organization: bool = True
    ) -> None:
        """Make the person Administrator of what it has just created; not of the organization level when it shared it."""

    def require_scope(self, scope: str) -> None:
        """Raise `NotPermittedError` when an access token speaks for the person and does not cover the scope."""

    def require_administrator(self, what: str, scope: str = "") -> None:
        """Raise `NotPermittedError` unless the person is an administrator of the organization; `what` is refused.

        `scope` is what an access token needs for it ('': full access).
        """


def require_permit(guard: Guard, transaction: Transaction, resource: Resource, name: str, pipeline_id: int) -> None:
    """Raise `NotPermittedError` unless the person may permit a pipeline (0: all of them), or take that away."""
    right = Right.PERMIT if pipeline_id else Right.OPEN_ACCESS
    guard.require(transaction, right, resource, name, pipeline_id=pipeline_id)


class Unrestricted:
    """The guard of the local administrator, to whom no role and no token sets limits."""

    def __init__(self, name: str = "") -> None:
        self._actor = local_administrator(name)

    @property
    def actor(self) -> Actor:
        return self._actor

    def require(
        self, transaction: Transaction, right: Right, resource: Resource, name: str = "", *, pipeline_id: int = 0
    ) -> None:
        """Let everything pass."""

    def allows(self, transaction: Transaction, right: Right, resource: Resource) -> bool:
        return True

    def seen(self, transaction: Transaction, project_id: int, resource_type: str) -> Callable[[str], bool]:
        return lambda _: True

    def created(
        self, transaction: Transaction, resource: Resource, name: str, *, at: float, organization: bool = True
    ) -> None:
        """Store nothing: the local administrator is Administrator of everything by definition."""

    def require_scope(self, scope: str) -> None:
        """Let everything pass."""

    def require_administrator(self, what: str, scope: str = "") -> None:
        """Let everything pass."""


UNRESTRICTED: Guard = Unrestricted()
"""The guard of whoever works on a database of its own, as plug-in tests and the store's own do."""
