"""Keeps what the jobs of one run leave behind: contents as blobs in the state folder, everything else in the database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace

from sluice.errors import ConflictError, NotFoundError
from sluice.language.run_name import check_run_name
from sluice.runs.identifiers import shown
from sluice.runtime.artifacts.manifest import decode
from sluice.runtime.keeping import (
    CONTAINER,
    Artifact,
    Attachment,
    BlobStore,
    Cache,
    CacheKey,
    FoundRun,
    RunWanted,
    TestRun,
)
from sluice.runtime.request import JobRequest, StepRequest
from sluice.storage import artifacts, attachments, caches, pipelines, projects, run_tags, runs, test_results
from sluice.storage.artifacts import ArtifactRow
from sluice.storage.attachments import AttachmentRow
from sluice.storage.caches import CacheRow
from sluice.storage.engine import Database, Transaction
from sluice.storage.runs import RunRow
from sluice.storage.test_results import TestRunRow
from sluice.values import dataclass

_DEFAULT_BRANCHES = ("refs/heads/main", "refs/heads/master")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunKeeper:
    """See `sluice.runtime.keeping.Keeper`. `branch` is the run's own, the scope of the caches that it writes."""

    database: Database
    blobs: BlobStore
    clock: Callable[[], float]
    run_id: int
    project_id: int
    pipeline_id: int
    branch: str

    def publish(self, job: JobRequest, step: StepRequest, artifact: Artifact) -> None:
        """Record an artifact, in place of nothing; see the port."""
        row = ArtifactRow(
            run_id=self.run_id,
            name=artifact.name,
            type=artifact.type,
            manifest=artifact.manifest,
            location=artifact.location,
            size=artifact.size,
            files=artifact.files,
            properties=artifact.properties,
            record_id=step.id,
            step=f"{shown(job.identifier)}.{step.name}",
            created_at=self.clock(),
        )
        with self.database.write() as transaction:
            before = artifacts.find(transaction, self.run_id, artifact.name)
            if before is None:
                artifacts.add(transaction, row)
            elif before.type == row.type == CONTAINER and before.manifest and row.manifest:
                artifacts.put(transaction, self._merged(before, row))
            elif (before.step, before.manifest, before.location) != (row.step, row.manifest, row.location):
                raise ConflictError(f"Artifact {artifact.name} already exists for build {self.run_id}.")

    def run(self, wanted: RunWanted) -> FoundRun:
        """The run that is meant, with its artifacts. Only runs of the same project are open to a job."""
        with self.database.read() as transaction:
            self._check_project(transaction, wanted.project)
            run_id = wanted.run_id or self._newest(transaction, wanted)
            run = runs.get(transaction, run_id)
            if run is None or run.project_id != self.project_id:
                raise NotFoundError(f"Run Id is not valid: {run_id}", do="see 'sluice runs list'")
            found = artifacts.of_run(transaction, run_id)
        return FoundRun(
            id=run.id, name=run.name, pipeline=run.pipeline, artifacts=tuple(_artifact(each) for each in found)
        )

    def find_cache(self, keys: Sequence[CacheKey]) -> Cache | None:
        """The first that fits: key by key, and for each the run's own branch before the default ones."""
        scopes = dict.fromkeys((self.branch, *_DEFAULT_BRANCHES))
        with self.database.write() as transaction:
            for key in keys:
                for scope in scopes:
                    found = caches.find(transaction, self.pipeline_id, scope, _stored(key), prefix=key.prefix)
                    if found is not None:
                        caches.used(transaction, found.id, at=self.clock())
                        segments = tuple(found.key.split("\n")[:-1])
                        return Cache(
                            key=CacheKey(segments=segments), manifest=found.manifest, size=found.size, scope=scope
                        )
        return None

    def keep_cache(self, job: JobRequest, cache: Cache) -> bool:
        """Keep a cache, unless its key has one."""
        now = self.clock()
        row = CacheRow(
            pipeline_id=self.pipeline_id,
            scope=self.branch,
            key=_stored(cache.key),
            manifest=cache.manifest,
            size=cache.size,
            run_id=self.run_id,
            created_at=now,
            used_at=now,
        )
        with self.database.write() as transaction:
            if caches.find(transaction, self.pipeline_id, self.branch, row.key) is not None:
                return False
            caches.add(transaction, row)
        return True

    def attach(self, job: JobRequest, step: StepRequest, attachment: Attachment) -> None:
        """Keep a file with a step."""
        row = AttachmentRow(run_id=self.run_id, record_id=step.id, created_at=self.clock(), **asdict(attachment))
        with self.database.write() as transaction:
            attachments.put(transaction, row)

    def rename(self, number: str) -> None:
        """Give the run another number, for those who look at it and for the jobs that start from now on."""
        check_run_name(number)
        with self.database.write() as transaction:
            run = self._own(transaction)
            variables = [
                (name, number if name.casefold() == "build.buildnumber" else value, readonly)
                for name, value, readonly in run.options["variables"]
            ]
            runs.set_options(transaction, run.id, {**run.options, "variables": variables})
            runs.change(transaction, run.id, name=number)

    def add_tests(self, job: JobRequest, step: StepRequest, tests: TestRun) -> None:
        """Keep results of tests."""
        row = TestRunRow(
            **{**asdict(tests), "failures": tuple(asdict(one) for one in tests.failures)},
            run_id=self.run_id,
            record_id=step.id,
            created_at=self.clock(),
        )
        with self.database.write() as transaction:
            test_results.add(transaction, row)

    def _merged(self, before: ArtifactRow, row: ArtifactRow) -> ArtifactRow:
        merged = decode(self.blobs.get(before.manifest)).merged(decode(self.blobs.get(row.manifest)))
        return replace(
            before,
            manifest=self.blobs.put(merged.encode()),
            size=merged.size,
            files=merged.files,
            properties={**before.properties, **row.properties},
        )

    def _own(self, transaction: Transaction) -> RunRow:
        run = runs.get(transaction, self.run_id)
        if run is None:
            raise NotFoundError(f"there is no run {self.run_id}")
        return run

    def _check_project(self, transaction: Transaction, name: str) -> None:
        own = projects.get(transaction, self.project_id)
        if name and name.casefold() not in {own.name.casefold(), own.guid.casefold()}:
            raise NotFoundError(
                f"artifacts of the project '{name}' are not open to this run",
                why="a run reads those of its own project only",
                do=f"name the project '{own.name}', or none",
            )

    def _newest(self, transaction: Transaction, wanted: RunWanted) -> int:
        try:
            pipeline = pipelines.find(transaction, self.project_id, wanted.pipeline)
        except NotFoundError as error:
            raise NotFoundError(
                f"The following pipeline does not exist: {wanted.pipeline}. Please verify the name of the pipeline.",
                do=error.do,
            ) from error
        found = run_tags.newest(
            transaction,
            pipeline.id,
            results=wanted.results,
            tags=wanted.tags,
            branch=full_ref(wanted.branch),
            but=self.run_id,
        )
        if found is None:
            raise NotFoundError(
                "No builds currently exist in the pipeline definition supplied.",
                why=f"no finished run of '{pipeline.name}' has the result, the branch and the tags that are asked for",
                do=f"run it first: sluice run {pipeline.source}",
            )
        return found


def full_ref(branch: str) -> str:
    """A branch as runs know it: `refs/heads/main` for `main`."""
    return branch if not branch or branch.startswith("refs/") else f"refs/heads/{branch}"


def _stored(key: CacheKey) -> str:
    return "".join(f"{segment}\n" for segment in key.segments)


def _artifact(row: ArtifactRow) -> Artifact:
    return Artifact(
        name=row.name,
        type=row.type,
        manifest=row.manifest,
        location=row.location,
        size=row.size,
        files=row.files,
        properties=row.properties,
    )
