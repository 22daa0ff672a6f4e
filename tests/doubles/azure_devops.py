"""An Azure DevOps organization: who asks, and its projects."""

from __future__ import annotations

from tests.doubles.web import Call, Double, Reply

ANONYMOUS = "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"


class AzureDevOps(Double):
    """The organization lies at `/contoso`; credentials are known by their Authorization header, with their scopes."""

    def __init__(self, *, on_premises: bool = False) -> None:
        super().__init__()
        self.known: dict[str, set[str]] = {}
        self._on_premises = on_premises

    def answer(self, call: Call) -> Reply:
        self.expect(call.method == "GET", "verification changes nothing")
        if not call.path.startswith("/contoso/_apis/"):
            return Reply(404, b"<html>Not Found</html>", content="text/html")
        scopes = self.known.get(call.headers.get("authorization", ""))
        if scopes is None:
            if self._on_premises:
                return Reply(401, b"", {"WWW-Authenticate": "Basic"}, content="text/html")
            return Reply(203, b"<html>Sign In</html>", content="text/html")
        if call.path == "/contoso/_apis/connectionData":
            who = {"id": "1f0c", "providerDisplayName": "Ada L."} if "nobody" not in scopes else {"id": ANONYMOUS}
            return Reply(200, {"authenticatedUser": who, "instanceId": "5b"})
        if call.path == "/contoso/_apis/projects":
            if "vso.project" not in scopes:
                return Reply(401, {"message": "TF400813"})
            states = ["wellFormed", "wellFormed", "deleting"]
            return Reply(200, {"count": len(states), "value": [{"name": s, "state": s} for s in states]})
        return Reply(404, {"message": "not found"})
