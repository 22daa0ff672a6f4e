"""Jira's REST API, version 2: accounts, issues with their transitions, comments, signed requests of a Connect app."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any

import jwt
from tests.doubles.web import Call, Double, Reply

PREFIX = "/rest/api/2"


@dataclass
class Issue:
    """An issue; `transitions` are those of its workflow from any status: id by name and target status."""

    status: str = "To Do"
    fields: dict[str, Any] = field(default_factory=lambda: {"labels": ["old"]})
    comments: list[str] = field(default_factory=list)
    transitions: dict[str, tuple[str, str]] = field(
        default_factory=lambda: {"11": ("Start work", "In Progress"), "31": ("Close", "Done")}
    )


class Jira(Double):
    """Strict about paths, methods, bodies and signatures."""

    def __init__(self) -> None:
        super().__init__()
        self.prefix = ""
        self.accounts = {"ada@example.com": "api-token-0001"}
        self.personal = {"pat-0123456789"}
        self.app = ("com.example.app", "shared-secret-0123456789-0123456789")
        self.forbidden: set[str] = set()
        self.captcha = False
        self.issues: dict[str, Issue] = {}
        self.editable = {"labels", "summary", "customfield_10010"}

    def answer(self, call: Call) -> Reply:
        path = call.path.removeprefix(self.prefix)
        if not path.startswith(f"{PREFIX}/"):
            return Reply(404, b"<html>Not Found</html>", content="text/html")
        name = self._name(call, path)
        if self.captcha:
            reason = "CAPTCHA_CHALLENGE; login-url=https://jira.example.com/login.jsp"
            return Reply(403, b"<html></html>", {"X-Authentication-Denied-Reason": reason}, "text/html")
        if name is None:
            return Reply(401, b"Client must be authenticated to access this resource.", content="text/plain")
        if name in self.forbidden:
            return Reply(403, {"errorMessages": ["You do not have the permission"], "errors": {}})
        path = path.removeprefix(PREFIX)
        if path == "/myself" and call.method == "GET":
            return Reply(200, {"displayName": f"{name} L.", "active": True})
        if found := re.fullmatch(r"/issue/([^/]+)(/comment|/transitions)?", path):
            return self._issue(call, found[1], found[2] or "")
        return Reply(404, {"message": "null for uri", "status-code": 404})

    def _name(self, call: Call, path: str) -> str | None:
        kind, _, text = call.headers.get("authorization", "").partition(" ")
        if kind == "Bearer":
            return "Grace" if text in self.personal else None
        if kind == "JWT":
            return self._app(call, path, text)
        if kind != "Basic":
            return None
        name, _, password = base64.b64decode(text).decode().partition(":")
        return name if self.accounts.get(name) == password else None

    def _app(self, call: Call, path: str, text: str) -> str | None:
        key, secret = self.app
        try:
            claims = jwt.decode(text, secret, algorithms=["HS256"], options={"require": ["iss", "iat", "exp", "qsh"]})
        except jwt.PyJWTError:
            return None
        query = "&".join(f"{name}={value}" for name, value in sorted(call.query.items()))
        wanted = hashlib.sha256(f"{call.method}&{path}&{query}".encode()).hexdigest()
        return "App" if (claims["iss"], claims["qsh"]) == (key, wanted) else None

    def _issue(self, call: Call, key: str, part: str) -> Reply:
        issue = self.issues.get(key)
        if issue is None:
            return Reply(404, {"errorMessages": ["Issue does not exist or you do not have permission to see it."]})
        if call.method == "GET" and part == "/transitions":
            found = [{"id": id_, "name": name, "to": {"name": to}} for id_, (name, to) in issue.transitions.items()]
            return Reply(200, {"expand": "transitions", "transitions": found})
        if call.method not in {"POST", "PUT"}:
            return Reply(405, {"message": "null"})
        self.expect(call.headers.get("content-type") == "application/json", "the body is no JSON")
        body = json.loads(call.body)
        if (call.method, part) == ("POST", "/comment"):
            issue.comments.append(body["body"])
            return Reply(201, {"id": str(len(issue.comments)), "body": body["body"]})
        if (call.method, part) == ("POST", "/transitions"):
            return self._move(issue, body)
        if (call.method, part) == ("PUT", ""):
            return self._edit(issue, body)
        return Reply(405, {"message": "null"})

    def _move(self, issue: Issue, body: dict[str, Any]) -> Reply:
        wanted = body["transition"]["id"]
        if wanted not in issue.transitions:
            return Reply(
                400, {"errorMessages": ["It seems that you have tried to perform an illegal workflow operation."]}
            )
        issue.status = issue.transitions[wanted][1]
        return Reply(204, b"")

    def _edit(self, issue: Issue, body: dict[str, Any]) -> Reply:
        self.expect(bool(body) and set(body) <= {"fields", "update"}, f"not an edit: {sorted(body)}")
        names = {*body.get("fields", {}), *body.get("update", {})}
        if unknown := sorted(names - self.editable):
            text = "Field '{}' cannot be set. It is not on the appropriate screen, or unknown."
            return Reply(400, {"errorMessages": [], "errors": {name: text.format(name) for name in unknown}})
        issue.fields |= body.get("fields", {})
        for name, operations in body.get("update", {}).items():
            issue.fields[name] = [*issue.fields.get(name, []), *(one["add"] for one in operations)]
        return Reply(204, b"")
