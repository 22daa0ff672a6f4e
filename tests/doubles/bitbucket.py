"""Bitbucket Cloud's REST API: the account of credentials, and the repositories that they may read."""

from __future__ import annotations

from tests.doubles.web import Call, Double, Reply


class Bitbucket(Double):
    """Knows credentials by their Authorization header: each with its scopes."""

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[str, set[str]] = {}

    def answer(self, call: Call) -> Reply:
        self.expect(call.method == "GET", "verification changes nothing")
        scopes = self.known.get(call.headers.get("authorization", ""))
        if scopes is None:
            return Reply(401, {"type": "error", "error": {"message": "Token is invalid, expired, or not supported."}})
        if call.path == "/2.0/user":
            return self._guarded("read:user:bitbucket", scopes, {"type": "user", "display_name": "Ada L."})
        if call.path == "/2.0/repositories":
            self.expect(call.query == {"role": "member"}, "the documented request asks for role=member")
            return self._guarded("read:repository:bitbucket", scopes, {"pagelen": 10, "values": []})
        return Reply(404, {"type": "error", "error": {"message": "Resource not found"}})

    @staticmethod
    def _guarded(scope: str, scopes: set[str], body: object) -> Reply:
        if scope in scopes:
            return Reply(200, body)
        message = "Your credentials lack one or more required privilege scopes."
        detail = {"required": [scope], "granted": sorted(scopes)}
        return Reply(403, {"type": "error", "error": {"message": message, "detail": detail}})
