"""Whether the checks of a resource have passed for a use of it: asked again in the transaction that releases it."""

from __future__ import annotations

from sluice.authorization.checks.model import State
from sluice.authorization.texts import TYPE_LABELS
from sluice.errors import NotPermittedError, PermissionPendingError
from sluice.runs import suites
from sluice.storage import check_configurations
from sluice.storage.engine import Transaction
from sluice.storage.permissions import Resource
from sluice.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Passing:
    """A job of an attempt of a stage, as the checkpoints of it and of its stage are about it."""

    run_id: int
    stage: str
    attempt: int
    job_id: str

    def require(self, transaction: Transaction, resource: Resource, name: str, version: int) -> None:
        """Raise unless the checks passed for where the resource leads in this version.

        A checkpoint that passed covers what it was about, whatever checks came later. Raises `NotPermittedError` for
        checks that ended otherwise, `PermissionPendingError` for those that nobody has asked yet.
        """
        about = [
            one
            for one in suites.of_stage(transaction, self.run_id, self.stage, self.attempt)
            if one.job_id in {"", self.job_id}
            and (covered := one.covers(resource.type, resource.id)) is not None
            and not suites.moved(transaction, covered, version)
        ]
        if any(one.state is State.APPROVED for one in about):
            return
        if all(row.disabled for row in check_configurations.of_resource(transaction, resource)):
            return
        label = TYPE_LABELS.get(resource.type, resource.type).lower()
        refused = next((one for one in reversed(about) if not one.open and not one.replaced), None)
        if refused is not None:
            raise NotPermittedError(f"the checks of the {label} '{name}' did not pass", why=refused.message)
        raise PermissionPendingError(
            f"the checks of the {label} '{name}' have not passed yet", do=f"see 'sluice runs show {self.run_id}'"
        )
