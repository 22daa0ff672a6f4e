"""Secret variables of a run: given when it was queued (sealed with it), or set for its pipeline (sealed with that).

Until a job starts a run knows their names only; what is decided before reads them as ''. They lie below the YAML's
variables, those of queue time above those of the pipeline's settings.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sluice.authorization.trust import Trust
from sluice.connections.sealing import Sealed, Sealer
from sluice.library.settings import Settings, SettingsStore
from sluice.runs.predefined import origin_of
from sluice.runtime.request import JobVariable
from sluice.secret import Secret
from sluice.storage import actions, audit, runs

if TYPE_CHECKING:
    from sluice.storage.engine import Transaction
    from sluice.storage.runs import RunRow

OPTION = "secrets"
"""What a run's options keep: the names, by where the values are (`queue`, `settings`)."""

_QUEUE = "queue"
_SETTINGS = "settings"


def sealed_identity(run_id: int) -> str:
    """What the secrets that a run was given are sealed for."""
    return f"secrets of run {run_id}"


def names_of(settings: Settings, variables: Mapping[str, str], secrets: Mapping[str, Secret]) -> dict[str, list[str]]:
    """The names that count, by where the values are; queue time wins over settings."""
    given = {name.casefold() for name in (*variables, *secrets)}
    stays = sorted(name for name in settings.secrets if name.casefold() not in given)
    found = {_QUEUE: sorted(secrets), _SETTINGS: stays}
    return {place: names for place, names in found.items() if names}


def markers(options: Mapping[str, Any]) -> list[JobVariable]:
    """The secret variables of a run as long as their values are sealed."""
    return [JobVariable(name=name, value=Secret("")) for names in options.get(OPTION, {}).values() for name in names]


def keep(transaction: Transaction, sealer: Sealer, run_id: int, secrets: Mapping[str, Secret]) -> None:
    """Seal the secrets that a run was given."""
    if not secrets:
        return
    text = json.dumps({name: secret.reveal() for name, secret in secrets.items()}).encode("ascii")
    sealed = sealer.seal_blob(sealed_identity(run_id), runs.SECRETS, text)
    row = runs.SealedRow(
        run_id=run_id,
        job_id="",
        step=runs.SECRETS,
        key_id=sealed.key_id,
        wrapped_key=sealed.wrapped_key,
        sealed=sealed.sealed,
    )
    runs.save_sealed(transaction, row)


def open_secrets(
    transaction: Transaction, sealer: Sealer, settings: SettingsStore, run: RunRow, *, at: float
) -> list[JobVariable]:
    """The secret variables of a run with their values, for a job that starts.

    One that was unset for the pipeline meanwhile is left out; untrusted runs get none that were set for the pipeline.
    Each opening is audited. Raises `SealError` when they were edited.
    """
    wanted = run.options.get(OPTION, {})
    values: dict[str, Secret] = {}
    if wanted.get(_SETTINGS) and origin_of(run.options).trust is Trust.TRUSTED:
        stored = settings.open_for_run(transaction, run, at=at)
        values |= {name: stored[name] for name in wanted[_SETTINGS] if name in stored}
    if wanted.get(_QUEUE) and (row := runs.sealed(transaction, run.id, "", runs.SECRETS)):
        audit.append(transaction, _opened(run, wanted[_QUEUE], at=at))
        sealed = Sealed(row.key_id, row.wrapped_key, row.sealed)
        text = sealer.open_blob(sealed_identity(run.id), runs.SECRETS, sealed)
        values |= {name: Secret(value) for name, value in json.loads(text).items()}
    return [JobVariable(name=name, value=value) for name, value in values.items()]


def _opened(run: RunRow, names: Sequence[str], *, at: float) -> audit.Event:
    details = {"RunId": run.id, "PipelineName": run.pipeline, "PipelineId": run.pipeline_id, "Secrets": list(names)}
    return audit.Event(
        action=actions.RUN_SECRETS_OPENED, actor=run.requested_by, at=at, project_id=run.project_id, details=details
    )
