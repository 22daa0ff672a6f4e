"""Settings of a pipeline: variables that stay with it, public ones and sealed secrets. They belong to it alone."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field, replace
from typing import TYPE_CHECKING

from sluice.connections import vault
from sluice.connections.catalogue import nearest
from sluice.connections.guard import UNRESTRICTED, Guard
from sluice.connections.sealing import Identity, Sealer
from sluice.errors import NotFoundError, SealError, UsageError
from sluice.library.changes import fit_draft
from sluice.library.group import GroupDraft
from sluice.rights import Right
from sluice.secret import Secret
from sluice.storage import actions, audit, projects
from sluice.storage import pipeline_settings as rows
from sluice.storage.names import clean_name
from sluice.storage.permissions import PIPELINE, Resource
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.storage.engine import Database, Transaction
    from sluice.storage.pipelines import Pipeline
    from sluice.storage.runs import RunRow

KIND = "pipeline settings"
"""What the seal calls the records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of a pipeline; of its secrets only the names. `version` is 0 where nothing has been set yet."""

    id: str = ""
    version: int = 0
    variables: Mapping[str, str] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()

    def names(self) -> tuple[str, ...]:
        """The names of all variables, sorted."""
        return tuple(sorted({*self.variables, *self.secrets}, key=str.casefold))


def read(transaction: Transaction, pipeline_id: int) -> Settings:
    """The settings of a pipeline."""
    row = rows.get(transaction, pipeline_id)
    if row is None:
        return Settings()
    try:
        return Settings(
            id=row.id,
            version=row.version,
            variables={str(name): str(value) for name, value in json.loads(row.variables).items()},
            secrets=frozenset(map(str, json.loads(row.secret_names))),
        )
    except (ValueError, AttributeError, TypeError) as error:
        raise SealError(
            "the settings of the pipeline cannot be read", why="their record was changed outside of Sluice"
        ) from error


class SettingsStore:
    """Settings of the pipelines of one database; every change has its audit entry.

    `guard` decides whether the person who works with it may change them.
    """

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        *,
        clock: Callable[[], float] = time.time,
        guard: Guard = UNRESTRICTED,
    ) -> None:
        self.database = database
        self._guard = guard
        self._sealer = sealer
        self._clock = clock

    def read(self, pipeline: Pipeline) -> Settings:
        """The settings of a pipeline."""
        with self.database.read() as transaction:
            return read(transaction, pipeline.id)

    def set(
        self, pipeline: Pipeline, variables: Mapping[str, str], secrets: Mapping[str, Secret], *, by: str
    ) -> tuple[str, ...]:
        """Set variables; answers warnings. A name is spelt as it was first.

        Raises `VariableGroupInvalidError` for names and values that cannot be, and `UsageError` for a plain value in
        place of a secret.
        """
        fitted = fit_draft(GroupDraft(name=pipeline.name, variables=variables, secrets=secrets))
        with self.database.write() as transaction:
            before, stored = self._opened(transaction, pipeline)
            spelt = {name.casefold(): name for name in before.names()}
            for name in fitted.variables:
                if spelt.get(name.casefold()) in before.secrets:
                    raise UsageError(
                        f"the variable '{name}' is secret and is not taken as a plain value",
                        do=f"use --secret {name}=-, or unset it first",
                    )
            public = {spelt.get(name.casefold(), name): value for name, value in fitted.variables.items()}
            sealed = {spelt.get(name.casefold(), name): value for name, value in fitted.secrets.items()}
            kept = {name: value for name, value in before.variables.items() if name not in sealed}
            self._put(transaction, pipeline, before, {**kept, **public}, {**stored, **sealed}, by=by)
        return fitted.warnings

    def unset(self, pipeline: Pipeline, names: Iterable[str], *, by: str) -> tuple[str, ...]:
        """Remove variables; answers their names as they were stored. Raises `NotFoundError` for an unknown one."""
        with self.database.write() as transaction:
            before, stored = self._opened(transaction, pipeline)
            gone = frozenset(_known(before, pipeline, name) for name in names)
            public = {name: value for name, value in before.variables.items() if name not in gone}
            secrets = {name: value for name, value in stored.items() if name not in gone}
            self._put(transaction, pipeline, before, public, secrets, by=by)
        return tuple(sorted(gone))

    def open_in(self, transaction: Transaction, pipeline_id: int, name: str) -> dict[str, Secret]:
        """The secrets of a pipeline; `name` is the pipeline's in errors. Raises `SealError`."""
        audit.check_head(transaction)
        row = rows.seal_of(transaction, pipeline_id)
        settings = read(transaction, pipeline_id)
        if row is None:
            return {}
        text = vault.open_text(self._sealer, KIND, settings.id, row, f"the pipeline '{name}'")
        return {key: Secret(value) for key, value in json.loads(text).items()}

    def open_for_run(self, transaction: Transaction, run: RunRow, *, at: float) -> dict[str, Secret]:
        """The secrets of a run's pipeline, for a job that starts: audited in the same transaction."""
        opened = self.open_in(transaction, run.pipeline_id, run.pipeline)
        settings, project = read(transaction, run.pipeline_id), projects.get(transaction, run.project_id)
        event = audit.Event(
            action=actions.PIPELINE_SECRETS_OPENED,
            actor=run.requested_by,
            at=at,
            project_id=project.id,
            resource_id=settings.id,
            resource_version=settings.version,
            details={
                "PipelineName": run.pipeline,
                "PipelineId": run.pipeline_id,
                "RunId": run.id,
                "ProjectName": project.name,
                "Secrets": sorted(opened),
            },
        )
        audit.append(transaction, event)
        return opened

    def _opened(self, transaction: Transaction, pipeline: Pipeline) -> tuple[Settings, dict[str, Secret]]:
        return read(transaction, pipeline.id), self.open_in(transaction, pipeline.id, pipeline.name)

    def _put(
        self,
        transaction: Transaction,
        pipeline: Pipeline,
        before: Settings,
        variables: Mapping[str, str],
        secrets: Mapping[str, Secret],
        *,
        by: str,
    ) -> None:
        resource = Resource(pipeline.project_id, str(pipeline.id), PIPELINE)
        self._guard.require(transaction, Right.EDIT, resource, pipeline.name)
        after = replace(before, id=before.id or str(uuid.uuid4()), version=before.version + 1, variables=variables)
        row = rows.SettingsRow(
            id=after.id,
            pipeline_id=pipeline.id,
            version=after.version,
            variables=json.dumps(dict(sorted(variables.items()))),
            secret_names=json.dumps(sorted(secrets)),
        )
        master = vault.master_key(transaction, self._sealer)
        text = json.dumps({name: secret.reveal() for name, secret in secrets.items()}).encode("ascii")
        identity = Identity(KIND, row.id, row.version, rows.public_text(row))
        rows.put(transaction, row, vault.seal_text(self._sealer, master, identity, text))
        project = projects.get(transaction, pipeline.project_id)
        event = audit.Event(
            action=actions.PIPELINE_VARIABLES_CHANGED,
            actor=by,
            at=self._clock(),
            project_id=project.id,
            resource_id=row.id,
            resource_version=row.version,
            details={
                "PipelineName": pipeline.name,
                "PipelineId": pipeline.id,
                "ProjectName": project.name,
                "Variables": sorted(variables),
                "Secrets": sorted(secrets),
            },
        )
        audit.append(transaction, event)


def _known(settings: Settings, pipeline: Pipeline, name: str) -> str:
    spelt = {known.casefold(): known for known in settings.names()}
    found = spelt.get(clean_name(name).casefold())
    if found is None:
        known = ", ".join(settings.names()) or "none"
        hint = nearest(name, list(spelt.values()), otherwise=f"it has: {known}")
        raise NotFoundError(f"the pipeline '{pipeline.name}' has no variable '{clean_name(name)}'", do=hint)
    return found
