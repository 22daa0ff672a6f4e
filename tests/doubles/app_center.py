"""App Center's API (v0.1) and its upload service: releases in chunks, distribution, symbols into a blob."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.doubles.web import Call, Double, Reply

PREFIX = "/v0.1"
CHUNK = 8
TOKEN_IN_URLS = "token%2Fof%3Dupload"  # as the API gives it: encoded already


class AppCenter(Double):
    """One app, `octo/app`."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = {"app-center-token-0001"}
        self.read_only: set[str] = set()
        self.uploads: dict[str, dict[str, Any]] = {}
        self.chunks: dict[int, bytes] = {}
        self.releases: dict[int, dict[str, Any]] = {}
        self.symbols: dict[str, dict[str, Any]] = {}
        self.blobs: dict[str, bytes] = {}
        self.groups = {"g-1": "Testers", "g-2": "Friends"}
        self.lost: set[int] = set()  # chunks that get lost once
        self.polls = 0
        self.broken = ""
        self.metadata: dict[str, str] = {}

    def answer(self, call: Call) -> Reply:
        if call.path.startswith("/upload/"):
            return self._upload(call)
        if call.path.startswith("/blobs/"):
            return self._blob(call)
        if not call.path.startswith(f"{PREFIX}/"):
            return Reply(404, b"<html>Not found</html>", content="text/html")
        token = call.headers.get("x-api-token")
        if token not in self.tokens | self.read_only:
            return Reply(401, {"statusCode": 401, "code": "Unauthorized", "message": "Unauthorized"})
        if call.method != "GET" and token in self.read_only:
            return Reply(403, {"statusCode": 403, "code": "Forbidden", "message": "Forbidden"})
        path = call.path.removeprefix(PREFIX)
        if path == "/apps":
            return Reply(200, [{"name": "app", "owner": {"name": "octo"}}])
        if not path.startswith("/apps/octo/app/"):
            return Reply(404, {"message": "Not found", "code": "not_found"})
        if call.body:
            self.expect(call.headers.get("content-type") == "application/json", "the body is no JSON")
        return self._app(call, path.removeprefix("/apps/octo/app/"))

    def _app(self, call: Call, path: str) -> Reply:
        body: dict[str, Any] = json.loads(call.body or b"{}")
        if path == "uploads/releases" and call.method == "POST":
            return self._begin(body)
        if found := re.fullmatch(r"uploads/releases/([\w-]+)", path):
            return self._state(call, self.uploads[found[1]], body)
        if found := re.fullmatch(r"releases/(\d+)(/groups|/stores)?", path):
            return self._release(call, self.releases[int(found[1])], found[2] or "", body)
        if path == "symbol_uploads" and call.method == "POST":
            return self._begin_symbols(body)
        if (found := re.fullmatch(r"symbol_uploads/([\w-]+)", path)) and call.method == "PATCH":
            self.symbols[found[1]]["status"] = body["status"]
            return Reply(200, self.symbols[found[1]])
        return Reply(404, {"message": "Not found", "code": "not_found"})

    def _begin(self, body: dict[str, Any]) -> Reply:
        id_ = f"upload-{len(self.uploads) + 1}"
        self.uploads[id_] = {"id": id_, "upload_status": "uploadStarted", **body}
        answer = {
            "id": id_,
            "package_asset_id": "asset-1",
            "upload_domain": self.url,
            "url_encoded_token": TOKEN_IN_URLS,
            "token": "token/of=upload",
        }
        return Reply(201, answer)

    def _state(self, call: Call, upload: dict[str, Any], body: dict[str, Any]) -> Reply:
        if call.method == "PATCH":
            upload["upload_status"] = body["upload_status"]
        elif upload["upload_status"] == "uploadFinished":
            if self.broken:
                return Reply(200, {"id": upload["id"], "upload_status": "error", "error_details": self.broken})
            if self.polls > 0:
                self.polls -= 1
            else:
                upload |= {"upload_status": "readyToBePublished", "release_distinct_id": 7}
                self.releases[7] = {"id": 7, "short_version": "1.2", "version": "34", "to": []}
        return Reply(200, upload)

    def _upload(self, call: Call) -> Reply:
        self.expect("x-api-token" not in call.headers, "the upload service is sent the API's token")
        found = re.fullmatch(r"/upload/(set_metadata|upload_chunk|finished)/asset-1", call.path)
        if found is None or call.method != "POST":
            return Reply(404, {"error": True})
        if call.query.get("token") != "token/of=upload":
            return Reply(403, {"error": True, "message": "wrong token"})
        if found[1] == "set_metadata":
            self.metadata = dict(call.query)
            count = -(-int(call.query["file_size"]) // CHUNK)
            return Reply(200, {"error": False, "chunk_size": CHUNK, "chunk_list": list(range(1, count + 1))})
        if found[1] == "upload_chunk":
            number = int(call.query["block_number"])
            self.expect(0 < len(call.body) <= CHUNK, "a chunk of the wrong size")
            if number in self.lost:
                self.lost.discard(number)
                return Reply(500, {"error": True})
            self.chunks[number] = call.body
            return Reply(200, {"error": False, "chunk_num": number})
        if len(self.content()) != int(self.metadata["file_size"]):
            return Reply(200, {"error": False, "state": "Incomplete", "missing_chunks": [1]})
        return Reply(200, {"error": False, "state": "Done"})

    def content(self) -> bytes:
        return b"".join(self.chunks[number] for number in sorted(self.chunks))

    def _release(self, call: Call, release: dict[str, Any], part: str, body: dict[str, Any]) -> Reply:
        if not part and call.method == "PUT":
            release |= body
        elif part and call.method == "POST":
            if part == "/groups" and body["id"] not in self.groups:
                return Reply(404, {"message": "Not found", "code": "not_found"})
            release["to"].append((part, body))
            return Reply(201, {"id": body["id"]})
        return Reply(200, release)

    def _begin_symbols(self, body: dict[str, Any]) -> Reply:
        self.expect(body["symbol_type"] in {"Apple", "AndroidProguard", "Breakpad", "UWP"}, "an unknown symbol type")
        id_ = f"symbols-{len(self.symbols) + 1}"
        self.symbols[id_] = {"symbol_upload_id": id_, **body}
        answer = {"symbol_upload_id": id_, "upload_url": f"{self.url}/blobs/{id_}?sig=signature-0001&se=2026"}
        return Reply(200, answer)

    def _blob(self, call: Call) -> Reply:
        if call.query.get("sig") != "signature-0001":
            return Reply(403, b"<Error><Code>AuthenticationFailed</Code></Error>", content="application/xml")
        self.expect("x-api-token" not in call.headers, "the blob store is sent the API's token")
        self.expect(call.method == "PUT", "blobs are put")
        self.expect(call.headers.get("x-ms-blob-type") == "BlockBlob", "the blob has no type")
        self.blobs[call.path.rpartition("/")[2]] = call.body
        return Reply(201, b"")
