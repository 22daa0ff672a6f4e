"""Builds of Jenkins: their consoles and results, and the builds that they start downstream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sluice.plugin import Answer, TaskFailedError, TaskRun, VerificationError
from sluice_ci._console import Console
from sluice_ci._jenkins import PRODUCT, Jenkins, path_of
from sluice_ci._service import BODY, Pace, Patience
from sluice_ci._words import printable

DIVIDER = "*" * 78
WORDS = {
    "SUCCESS": "succeeded",
    "UNSTABLE": "unstable",
    "FAILURE": "failed",
    "NOT_BUILT": "not built",
    "ABORTED": "aborted",
}
"""What Azure Pipelines calls the results of Jenkins."""
LAST_BUILDS = 50
"""So many builds of a downstream job are looked at."""
STARTING_QUESTIONS = 8
"""How often a downstream job is asked whether it started; half a minute in all."""
MISSING_QUESTIONS = 20
"""How often a console is asked for that is not there yet; a minute and a half in all."""


@dataclass(frozen=True, slots=True)
class Build:
    """A build: its job's path and name, and its number."""

    job: str
    name: str
    number: int

    @property
    def path(self) -> str:
        return f"{self.job}{self.number}/"


@dataclass(slots=True, kw_only=True)
class Follower:
    """Follows builds to their ends, through `retries` troubles of the network for each question."""

    run: TaskRun
    jenkins: Jenkins
    patience: Patience
    retries: int
    retry_seconds: int
    pace: Pace = field(default_factory=Pace)

    def follow(self, build: Build, *, pass_unstable: bool, downstream: bool) -> None:
        """Write the console and wait for the result; raises `TaskFailedError` when that is no success.

        With `downstream` the same for all builds that this one starts, and those start.
        """
        waiting, seen = [build], {build.path}
        while waiting:
            one = waiting.pop(0)
            result = self._follow(one)
            if result != "SUCCESS" and not (result == "UNSTABLE" and pass_unstable):
                what = "Jenkins pipeline failed" if downstream else "Jenkins job failed"
                why = f"{one.name} #{one.number} {WORDS.get(result, printable(result).lower())}"
                raise TaskFailedError(what, where=self.run.task, why=why)
            for child in self._started_by(one) if downstream else ():
                if child.path not in seen:  # several builds may have started the same one
                    seen.add(child.path)
                    waiting.append(child)

    def _follow(self, build: Build) -> str:
        url = f"{self.jenkins.root}{build.path}"
        self._say(f"Jenkins job started: {build.name}", url)
        self._console(build)
        result = self._result(build)
        self._say(f"Jenkins job finished: {build.name}", url)
        self.run.say(f"{build.name} #{build.number} {WORDS.get(result, printable(result).lower())}")
        return result

    def _say(self, text: str, url: str) -> None:
        self.run.say(f"{DIVIDER}\n{printable(text, most=300)}\n{url}\n{DIVIDER}")

    def _console(self, build: Build) -> None:
        console, start, missing = Console(self.run.stream()), 0, 0
        pauses = iter(self.pace)
        try:
            while True:
                answer = self._persistently(f"{build.path}logText/progressiveText?start={start}")
                size = answer.headers.get("x-text-size", "")
                if answer.status == 404 or not size.isdecimal():
                    missing += 1
                    if missing > MISSING_QUESTIONS:
                        raise TaskFailedError("Job progress tracking failed to read job progress", why=answer.shown)
                    self.patience.wait(next(pauses))
                    continue
                console.take(answer.body)
                if len(answer.body) >= BODY:
                    self.run.warn(f"A part of the console is left out: see {self.jenkins.root}{build.path}console")
                if answer.headers.get("x-more-data") != "true":
                    return
                if int(size) > start:
                    pauses = iter(self.pace)  # something happens: look again soon
                start = int(size)
                self.patience.wait(next(pauses))
        finally:
            console.end()

    def _result(self, build: Build) -> str:
        for seconds in self.pace:
            body = self.json(f"{build.path}api/json?tree=result,timestamp")
            if result := body.get("result"):
                return str(result).upper()
            self.patience.wait(seconds)
        raise AssertionError("the pace has no end")

    def _started_by(self, build: Build) -> Iterator[Build]:
        projects = self.json(f"{build.job}api/json?tree=downstreamProjects[name,url,color]").get("downstreamProjects")
        for project in projects if isinstance(projects, list) else ():
            path = path_of(str(project.get("url", "")))
            if path and project.get("color") != "disabled":
                yield from self._located(build, path, printable(project.get("name", path)))

    def _located(self, parent: Build, job: str, name: str) -> Iterator[Build]:
        """The build of that job which the parent started; Jenkins needs a moment between the two."""
        causes = "actions[causes[upstreamBuild,upstreamUrl]]"
        for _, seconds in zip(range(STARTING_QUESTIONS), self.pace, strict=False):
            body = self.json(f"{job}api/json?tree=inQueue,builds[number,{causes}]{{0,{LAST_BUILDS}}}")
            for one in body.get("builds") or ():
                if _is_caused_by(one, parent) and isinstance(one.get("number"), int):
                    yield Build(job, name, one["number"])
                    return
            self.patience.wait(seconds)
        self.run.warn(f"{name} was not started by {parent.name} #{parent.number}")

    def json(self, path: str) -> Mapping[str, Any]:
        """The JSON object at the path; raises `VerificationError` when there is none after all retries."""
        body: Mapping[str, Any] = PRODUCT.json(self.jenkins.connection, self._persistently(path))
        return body

    def _persistently(self, path: str) -> Answer:
        """The answer, after troubles of the way there and back and of the server have passed."""
        for attempt in range(1, self.retries + 2):
            self.patience.check()
            try:
                answer = self.jenkins.ask(path)
            except VerificationError:
                if attempt > self.retries:
                    raise
            else:
                if answer.ok or answer.status == 404:
                    return answer
                if answer.status in {401, 403} or attempt > self.retries:
                    raise PRODUCT.refusal(self.jenkins.connection, answer)
            self.run.say(
                f"Connection error. Retrying again in {self.retry_seconds} seconds. "
                f"Retry {attempt} out of {self.retries}"
            )
            self.patience.wait(self.retry_seconds)
        raise AssertionError("the last attempt answers or raises")


def _is_caused_by(build: Mapping[str, Any], parent: Build) -> bool:
    for action in build.get("actions") or ():
        for cause in (action or {}).get("causes") or ():
            path = path_of(f"/{cause.get('upstreamUrl', '')}")
            if cause.get("upstreamBuild") == parent.number and path == parent.job:
                return True
    return False
