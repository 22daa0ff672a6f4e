"""GitHub's REST API of one repository: releases and their assets, tags, commits, comments, and GraphQL for issues."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from tests.doubles.web import Call, Double, Reply

PREFIX = "/api/v3/repos/octo/app/"
TOKEN = "ghp_release_0123456789"
DUPLICATE = {"message": "Validation Failed", "errors": [{"code": "already_exists", "field": "name"}]}
NOT_FOUND = Reply(404, {"message": "Not Found"})


@dataclass
class Storage(Double):
    """Where GitHub keeps the assets: addresses that are signed, and no tokens."""

    blobs: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()

    def answer(self, call: Call) -> Reply:
        self.expect("authorization" not in call.headers, "the storage is shown a token")
        if call.query.get("sig") != "signed" or call.path[1:] not in self.blobs:
            return Reply(403, b"<Error/>", content="application/xml")
        return Reply(200, self.blobs[call.path[1:]], content="application/octet-stream")


class Releases(Double):
    """Lists come in pages of `page`; commits are named oldest first."""

    def __init__(self) -> None:
        super().__init__()
        self.page = 2
        self.releases: dict[int, dict[str, Any]] = {}
        self.assets: dict[int, bytes] = {}
        self.tags: dict[str, str] = {}
        self.branches: dict[str, str] = {}
        self.commits: list[tuple[str, str]] = []
        self.issues: dict[int, dict[str, Any]] = {}
        self.comments: dict[int, list[str]] = {5: []}
        self.forbidden = False
        self.refuse_uploads = False
        self.storage = Storage()
        self.elsewhere = ""  # another address for the next page and for uploads

    def answer(self, call: Call) -> Reply:
        if call.headers.get("authorization") != f"Bearer {TOKEN}":
            return Reply(401, {"message": "Bad credentials"})
        self.expect(call.headers.get("x-github-api-version") == "2022-11-28", "the version of the API is missing")
        if self.forbidden and call.method != "GET":
            return Reply(403, {"message": "Resource not accessible by personal access token"})
        if call.path == "/api/graphql" and call.method == "POST":
            return self._graphql(json.loads(call.body)["query"])
        if call.path.startswith("/api/uploads/"):
            return self._upload(call)
        if not call.path.startswith(PREFIX):
            return NOT_FOUND
        return self._repository(call, call.path.removeprefix(PREFIX))

    def _repository(self, call: Call, path: str) -> Reply:
        asset = re.fullmatch(r"releases/assets/(\d+)", path)
        if asset is None:
            self.expect(call.headers.get("accept") == "application/vnd.github+json", "Accept is not GitHub's")
        if asset:
            return self._asset(call, int(asset[1]))
        if found := re.fullmatch(r"issues/(\d+)/comments", path):
            return self._comment(call, int(found[1]))
        if path == "releases" and call.method == "POST":
            return self._create(json.loads(call.body))
        if found := re.fullmatch(r"releases/(\d+)", path):
            return self._one(call, int(found[1]))
        if call.method != "GET":
            return NOT_FOUND
        return self._read(call, path)

    def _read(self, call: Call, path: str) -> Reply:
        if path == "releases":
            return self._paged(call, sorted(self.releases.values(), key=lambda one: -one["id"]))
        if path == "releases/latest":
            full = [one for one in self.releases.values() if not one["draft"] and not one["prerelease"]]
            return Reply(200, max(full, key=lambda one: one["id"])) if full else NOT_FOUND
        if path.startswith("releases/tags/"):
            tag = path.removeprefix("releases/tags/")
            found = [one for one in self.releases.values() if one["tag_name"] == tag and not one["draft"]]
            return Reply(200, found[0]) if found else NOT_FOUND
        if match := re.fullmatch(r"releases/(\d+)/assets", path):
            return self._paged(call, self.releases[int(match[1])]["assets"])
        if path == "tags":
            return self._paged(call, [{"name": name, "commit": {"sha": sha}} for name, sha in self.tags.items()])
        if path.startswith("branches/"):
            sha = self.branches.get(path.removeprefix("branches/"))
            return Reply(200, {"commit": {"sha": sha}}) if sha else NOT_FOUND
        if path == "commits":
            end = [sha for sha, _ in self.commits].index(call.query["sha"])
            return self._paged(call, [{"sha": sha} for sha, _ in reversed(self.commits[: end + 1])])
        if match := re.fullmatch(r"compare/(.+)\.\.\.(.+)", path):
            return self._compare(match[1], match[2])
        return NOT_FOUND

    def _paged(self, call: Call, rows: list[Any]) -> Reply:
        start = (int(call.query.get("page", "1")) - 1) * self.page
        url = f"{self.elsewhere or self.url}{call.path}?page={start // self.page + 2}"
        if "sha" in call.query:
            url += f"&sha={call.query['sha']}"
        more = {"Link": f'<{url}>; rel="next", <{url}>; rel="last"'} if start + self.page < len(rows) else {}
        return Reply(200, rows[start : start + self.page], more)

    def _compare(self, start: str, end: str) -> Reply:
        order = [sha for sha, _ in self.commits]
        first, last = order.index(start), order.index(end)
        found = [{"sha": sha, "commit": {"message": text}} for sha, text in self.commits[first + 1 : last + 1]]
        return Reply(200, {"status": "behind" if last < first else "ahead" if found else "identical", "commits": found})

    def add(self, tag: str, **more: Any) -> dict[str, Any]:
        id_ = max(self.releases, default=100) + 1
        upload = f"{self.elsewhere or self.url}/api/uploads/repos/octo/app/releases/{id_}/assets{{?name,label}}"
        known = {"id": id_, "tag_name": tag, "upload_url": upload, "html_url": f"{self.url}/octo/app/releases/{tag}"}
        self.releases[id_] = {"draft": False, "prerelease": False, "assets": [], **known, **more}
        return self.releases[id_]

    def attach(self, release: dict[str, Any], name: str, content: bytes) -> int:
        id_ = max(self.assets, default=500) + 1
        self.assets[id_] = content
        release["assets"].append({"id": id_, "name": name, "size": len(content)})
        return id_

    def _create(self, body: dict[str, Any]) -> Reply:
        self.expect(None not in body.values(), "a value is null")
        if any(one["tag_name"] == body["tag_name"] and not one["draft"] for one in self.releases.values()):
            return Reply(422, DUPLICATE)
        if not body["tag_name"].strip("."):
            return Reply(422, {"message": "Validation Failed", "errors": [{"code": "custom"}]})
        return Reply(201, self.add(body.pop("tag_name"), **body))

    def _one(self, call: Call, id_: int) -> Reply:
        if id_ not in self.releases:
            return NOT_FOUND
        if call.method == "DELETE":
            del self.releases[id_]
            return Reply(204, b"")
        if call.method == "PATCH":
            self.releases[id_] |= json.loads(call.body)
        return Reply(200, self.releases[id_])

    def _asset(self, call: Call, id_: int) -> Reply:
        if id_ not in self.assets:
            return NOT_FOUND
        if call.method == "DELETE":
            del self.assets[id_]
            for one in self.releases.values():
                one["assets"] = [asset for asset in one["assets"] if asset["id"] != id_]
            return Reply(204, b"")
        self.expect(call.headers.get("accept") == "application/octet-stream", "asked for the facts, not the file")
        if not self.storage.url:
            return Reply(200, self.assets[id_], content="application/octet-stream")
        self.storage.blobs[str(id_)] = self.assets[id_]
        return Reply(302, b"", {"Location": f"{self.storage.url}/{id_}?sig=signed"})

    def _upload(self, call: Call) -> Reply:
        found = re.fullmatch(r"/api/uploads/repos/octo/app/releases/(\d+)/assets", call.path)
        if found is None or call.method != "POST":
            return NOT_FOUND
        self.expect("content-length" in call.headers, "the length of the file is not told")
        self.expect("/" in call.headers.get("content-type", ""), "the kind of the file is not told")
        if self.refuse_uploads:
            return Reply(502, {"message": "Server Error"})
        release = self.releases[int(found[1])]
        name = re.sub(r"[^A-Za-z0-9._+@-]+", ".", call.query["name"])
        if any(one["name"] == name for one in release["assets"]):
            return Reply(422, DUPLICATE)
        self.attach(release, name, call.body)
        return Reply(201, {"name": name})

    def _comment(self, call: Call, number: int) -> Reply:
        if number not in self.comments or call.method != "POST":
            return NOT_FOUND
        self.comments[number].append(json.loads(call.body)["body"])
        return Reply(201, {"id": 1})

    def _graphql(self, query: str) -> Reply:
        self.expect('repository(owner: "octo", name: "app")' in query, "the query is of another repository")
        asked = [int(number) for number in re.findall(r"_(\d+): issueOrPullRequest\(number: \1\)", query)]
        data = {f"_{number}": self.issues.get(number) for number in asked}
        errors = [{"type": "NOT_FOUND", "path": ["repository", key]} for key, one in data.items() if one is None]
        return Reply(200, {"data": {"repository": data}} | ({"errors": errors} if errors else {}))


def issue(title: str, state: str, *labels: str, kind: str = "Issue") -> dict[str, Any]:
    return {
        "__typename": kind,
        "title": title,
        "state": state,
        "labels": {"nodes": [{"name": label} for label in labels]},
    }
