"""Jenkins' remote access API: crumbs bound to sessions, the queue, consoles that grow, downstream builds, artifacts."""

from __future__ import annotations

import base64
import io
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote

from tests.doubles.web import Call, Double, Reply

NO_CRUMB = "No valid crumb was included in the request"


@dataclass
class Build:
    """A build: each request for its console makes one more of the `pieces` known."""

    pieces: list[bytes] = field(default_factory=lambda: [b"done\n"])
    result: str = "SUCCESS"
    causes: list[dict[str, object]] = field(default_factory=list)
    artifacts: Mapping[str, bytes] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    archive: bytes = b""
    timestamp: int = 0
    known: int = 0

    @property
    def over(self) -> bool:
        return self.known >= len(self.pieces)


@dataclass
class Job:
    """A job; a build that is queued becomes `planned` ones in their order."""

    kind: str = "hudson.model.FreeStyleProject"
    parameters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    planned: list[Build] = field(default_factory=list)
    builds: dict[int, Build] = field(default_factory=dict)
    downstream: list[str] = field(default_factory=list)
    color: str = "blue"
    queue_polls: int = 0

    def start(self, build: Build) -> int:
        number = max(self.builds, default=0) + 1
        self.builds[number] = build
        return number


class Jenkins(Double):
    """Jobs go by their path, such as `job/folder/job/app`, decoded."""

    def __init__(self) -> None:
        super().__init__()
        self.passwords = {"ada": "pass-word-0001"}
        self.tokens = {"ada": "11aabbccddeeff"}
        self.readers = {"ada"}
        self.builders = {"ada"}
        self.prefix = "/jenkins"
        self.root = "https://ci.example.com/jenkins"  # what Jenkins believes its address to be
        self.crumbs = True
        self.jobs: dict[str, Job] = {}
        self.failures: list[int] = []  # statuses that the next requests for a console get
        self.canceled = False
        self._queue: dict[int, list[object]] = {}
        self._sessions: dict[str, str] = {}

    def answer(self, call: Call) -> Reply:
        user, by_token = self._user(call)
        if user is None:
            return self._page(401, "Unauthorized")
        if user not in self.readers:
            return self._page(403, f"{user} is missing the Overall/Read permission")
        if not call.path.startswith(f"{self.prefix}/"):
            return self._page(404, "Not Found")
        path = unquote(call.path.removeprefix(f"{self.prefix}/"))
        if call.method == "POST":
            return self._build(call, path, user, by_token=by_token)
        if call.method != "GET":
            return self._page(405, "Method Not Allowed")
        if path == "api/json":
            self.expect(call.query == {"tree": "jobs[name,displayName]"}, f"another question: {call.query}")
            return self._json({"_class": "hudson.model.Hudson", "jobs": [{"name": name} for name in self.jobs]})
        if path == "crumbIssuer/api/json":
            return self._crumb(call)
        if found := re.fullmatch(r"queue/item/(\d+)/api/json", path):
            return self._item(int(found[1]))
        return self._job(call, path)

    def _user(self, call: Call) -> tuple[str | None, bool]:
        kind, _, text = call.headers.get("authorization", "").partition(" ")
        if kind != "Basic":
            return None, False
        name, _, password = base64.b64decode(text).decode().partition(":")
        if self.tokens.get(name) == password:
            return name, True
        return (name, False) if self.passwords.get(name) == password else (None, False)

    def _crumb(self, call: Call) -> Reply:
        if not self.crumbs:
            return self._page(404, "Not Found")
        session = f"node0{len(self._sessions)}"
        self._sessions[session] = f"crumb-{session}"
        reply = self._json({"crumb": self._sessions[session], "crumbRequestField": "Jenkins-Crumb"})
        cookie = f"JSESSIONID.8af0={session}; Path=/jenkins; HttpOnly"
        return Reply(reply.status, reply.body, {**reply.headers, "Set-Cookie": cookie})

    def _build(self, call: Call, path: str, user: str, *, by_token: bool) -> Reply:
        session = call.headers.get("cookie", "").partition("=")[2]
        crumb = call.headers.get("jenkins-crumb", "none")
        if self.crumbs and not by_token and self._sessions.get(session) != crumb:
            return self._page(403, NO_CRUMB)
        name, _, action = path.rpartition("/")
        job = self.jobs.get(name)
        if job is None or action not in {"build", "buildWithParameters"}:
            return self._page(404, "Not Found")
        if user not in self.builders:
            return self._page(403, f"{user} is missing the Job/Build permission")
        self.expect(call.query == {"delay": "0sec"}, f"the build is put off: {call.query}")
        if (action == "buildWithParameters") != bool(job.parameters):
            return self._page(400 if job.parameters else 500, "wrong address for this kind of job")
        form = {name: values[0] for name, values in parse_qs(call.body.decode(), keep_blank_values=True).items()}
        if any(value not in job.parameters[key] for key, value in form.items() if job.parameters.get(key)):
            return self._page(500, "Illegal choice for parameter")
        build = job.planned.pop(0) if job.planned else Build()
        build.parameters = form
        number = len(self._queue) + 1
        self._queue[number] = [name, build, job.queue_polls]
        return Reply(201, b"", {"Location": f"{self.root}/queue/item/{number}/", "X-Jenkins": "2.462.1"})

    def _item(self, number: int) -> Reply:
        if number not in self._queue:
            return self._page(404, "Not Found")
        name, build, polls = self._queue[number]
        if self.canceled:
            return self._json({"_class": "hudson.model.Queue$LeftItem", "cancelled": True})
        if isinstance(polls, int) and polls > 0:
            self._queue[number][2] = polls - 1
            return self._json({"_class": "hudson.model.Queue$WaitingItem", "why": "In the quiet period"})
        assert isinstance(name, str)
        assert isinstance(build, Build)
        job = self.jobs[name]
        known = next((key for key, one in job.builds.items() if one is build), None) or job.start(build)
        task = {"name": name.rpartition("/")[2], "url": f"{self.root}/{name}/"}
        return self._json({"task": task, "executable": {"number": known, "url": f"{task['url']}{known}/"}})

    def _job(self, call: Call, path: str) -> Reply:
        found = re.fullmatch(r"(job/.+?)/(?:(\d+|lastSuccessfulBuild)/)?(api/json|logText/.*|artifact/.*)", path)
        job = self.jobs.get(found[1]) if found else None
        if found is None or job is None:
            return self._page(404, "Not Found")
        if found[2] is None:
            return self._about(found[1], job)
        good = [number for number, one in job.builds.items() if one.over and one.result == "SUCCESS"]
        number = int(found[2]) if found[2].isdecimal() else max(good, default=0)
        if number not in job.builds:
            return self._page(404, "Not Found")
        if found[3] == "logText/progressiveText":
            return self._console(call, found[1], job, number)
        if found[3].startswith("artifact/*zip*/"):
            return self._archive(job.builds[number])
        return self._about_build(job.builds[number], number)

    def _about(self, name: str, job: Job) -> Reply:
        downstream = [
            {"name": one.rpartition("/")[2], "url": f"{self.root}/{one}/", "color": self.jobs[one].color}
            for one in job.downstream
        ]
        builds = [{"number": number, "actions": [{"causes": one.causes}, {}]} for number, one in job.builds.items()]
        branches = [
            {"name": key.rpartition("/")[2], "lastSuccessfulBuild": self._last(one)}
            for key, one in self.jobs.items()
            if key.rpartition("/job/")[0] == name
        ]
        body = {"_class": job.kind, "downstreamProjects": downstream, "builds": builds, "inQueue": False}
        return self._json(body | ({"jobs": branches} if branches else {}))

    def _last(self, job: Job) -> object:
        good = {number: one for number, one in job.builds.items() if one.result == "SUCCESS"}
        return {"number": max(good), "timestamp": good[max(good)].timestamp} if good else None

    def _console(self, call: Call, name: str, job: Job, number: int) -> Reply:
        if self.failures:
            return self._page(self.failures.pop(0), "Error")
        build = job.builds[number]
        build.known = min(build.known + 1, len(build.pieces))
        text, start = b"".join(build.pieces[: build.known]), int(call.query.get("start", "0"))
        self.expect(start <= len(text), "the start is behind the end")
        if build.over:
            self._trigger(name, job, number)
        headers = {"X-Text-Size": str(len(text)), **({} if build.over else {"X-More-Data": "true"})}
        return Reply(200, text[start:], headers, "text/plain;charset=utf-8")

    def _trigger(self, name: str, job: Job, number: int) -> None:
        cause = {"upstreamUrl": f"{name}/", "upstreamBuild": number, "upstreamProject": name.rpartition("/")[2]}
        for one in job.downstream if job.builds[number].result == "SUCCESS" else ():
            child = self.jobs[one]
            if child.color != "disabled" and not any(cause in build.causes for build in child.builds.values()):
                build = child.planned.pop(0) if child.planned else Build()
                build.causes = [cause]
                child.start(build)

    def _about_build(self, build: Build, number: int) -> Reply:
        artifacts = [{"relativePath": path, "fileName": path.rpartition("/")[2]} for path in build.artifacts]
        return self._json(
            {
                "number": number,
                "result": build.result if build.over else None,
                "timestamp": build.timestamp,
                "artifacts": artifacts or ([{"relativePath": "?"}] if build.archive else []),
            }
        )

    def _archive(self, build: Build) -> Reply:
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            for name, data in build.artifacts.items():
                archive.writestr(f"archive/{name}", data)
        return Reply(200, build.archive or content.getvalue(), {"X-Jenkins": "2.462.1"}, "application/zip")

    def _json(self, body: object) -> Reply:
        return Reply(200, body, {"X-Jenkins": "2.462.1"})

    def _page(self, status: int, text: str) -> Reply:
        return Reply(status, f"<html><body>{text}</body></html>".encode(), {"X-Jenkins": "2.462.1"}, "text/html")
