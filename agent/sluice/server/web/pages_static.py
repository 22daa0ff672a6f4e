"""Style sheet, scripts and icon: the files of `static/`, each under an address that changes with its content."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import FileResponse, Response

from sluice.server.web.rendering import STATIC

router = APIRouter(include_in_schema=False)

_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FILES = {path.name: path for path in STATIC.iterdir() if path.suffix in _TYPES}


@router.get("/static/{version}/{name}")
async def static_file(version: str, name: str) -> Response:
    """One of the files; nothing else is there to be asked for."""
    path = _FILES.get(name)
    if path is None:
        return Response(status_code=404)
    kept = {"Cache-Control": "public, max-age=31536000, immutable"}
    return FileResponse(path, media_type=f"{_TYPES[path.suffix]}; charset=utf-8", headers=kept)
