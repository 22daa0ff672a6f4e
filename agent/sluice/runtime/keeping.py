"""What a job leaves behind and finds: artifacts, caches, attachments, tags, test results. The port to who keeps it.

Contents travel as blobs of a few megabytes (see `sluice.runtime.artifacts`), everything else as small values: an
implementation may lie on another machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Protocol

from sluice.runtime.request import JobRequest, StepRequest
from sluice.values import dataclass

PIPELINE = "PipelineArtifact"
CONTAINER = "Container"
FILE_SHARE = "FilePath"


class BlobStore(Protocol):
    """Contents by their SHA-256, each of a few megabytes at most."""

    def put(self, content: bytes) -> str:
        """Store it, unless it is there, and answer its digest."""

    def get(self, digest: str) -> bytes:
        """The content; raises `StorageError`, which names the blob, when it is missing or broken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """An artifact of a run. `manifest` is the blob that lists its files; '' where only `location` says where they lie.

    `type` is `PipelineArtifact`, `Container`, `FilePath`, or what a logging command says; `size` is in bytes.
    """

    name: str
    type: str
    manifest: str = ""
    location: str = ""
    size: int = 0
    files: int = 0
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunWanted:
    """Which run is meant: the one with that id, or the newest one of a pipeline (its name or number) that fits.

    `results` are those that count; `branch` is '' for any; the run has to have all `tags`.
    """

    run_id: int = 0
    project: str = ""
    pipeline: str = ""
    branch: str = ""
    tags: tuple[str, ...] = ()
    results: tuple[str, ...] = ("Succeeded",)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRun:
    """A run whose artifacts may be downloaded."""

    id: int
    name: str
    pipeline: str
    artifacts: tuple[Artifact, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheKey:
    """Resolved segments of a cache's key; `prefix` means every cache whose key starts with them."""

    segments: tuple[str, ...]
    prefix: bool = False

    def __str__(self) -> str:
        return "|".join((*self.segments, "**") if self.prefix else self.segments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """A cache: its key, and the blob that lists its files."""

    key: CacheKey
    manifest: str
    size: int = 0
    scope: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that belongs to a step; `manifest` lists that file alone."""

    type: str
    name: str
    manifest: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedTest:
    """A test that failed: its name, what it said, and the rest of the story."""

    name: str
    message: str = ""
    details: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestRun:
    """Results of tests, counted; `failures` are the first of those that failed. `seconds` is how long they took."""

    __test__ = False  # no test of ours

    title: str
    runner: str
    total: int = 0
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    platform: str = ""
    configuration: str = ""
    failures: tuple[FailedTest, ...] = ()


class Keeper(Protocol):
    """Keeps what the jobs of one run leave behind. Every method may be called again after an interruption."""

    @property
    def blobs(self) -> BlobStore:
        """Where contents go."""

    def publish(self, job: JobRequest, step: StepRequest, artifact: Artifact) -> None:
        """Record an artifact of the run, whose blobs are stored.

        A second one of the same name is added to the first if both are containers; else `ConflictError` is raised.
        """

    def run(self, wanted: RunWanted) -> FoundRun:
        """The run that is meant, which may be this one; raises `NotFoundError` in the documented words."""

    def find_cache(self, keys: Sequence[CacheKey]) -> Cache | None:
        """The cache of the first key that has one, in the scopes that this run may read."""

    def keep_cache(self, job: JobRequest, cache: Cache) -> bool:
        """Keep a cache in the scope of this run; False when its key has one already: that stays as it is."""

    def attach(self, job: JobRequest, step: StepRequest, attachment: Attachment) -> None:
        """Keep a file with a step; a later one of the same type and name takes its place."""

    def rename(self, number: str) -> None:
        """Give the run another number (name)."""

    def add_tests(self, job: JobRequest, step: StepRequest, tests: TestRun) -> None:
        """Keep results of tests."""
