"""`npmAuthenticate@0`: credentials for the registries that an `.npmrc` names, until the job ends."""

from __future__ import annotations

from pathlib import Path

from sluice.plugin import TaskFailedError, TaskRun
from sluice_packages import _npmrc

_DONE = "EXISTING_ENDPOINTS"
"""The variable with the registries that earlier steps have logged in to, by commas."""


def authenticate(run: TaskRun) -> None:
    """Write the credentials of each connection whose registry the file names."""
    file = _file(run)
    run.say(f"Adding authentication to the .npmrc file at {file}")
    known = {_npmrc.nerf_dart(one.url): one for one in run.connections("customEndpoint")}
    _note(run, [_npmrc.registry_url(one.url) for one in known.values()])
    run.restore_at_end(file)
    lines = _npmrc.with_slashes(_read(file))
    done = set[str]()
    for url in _npmrc.registries(lines):
        key = _npmrc.nerf_dart(url)
        if not key:
            run.warn(f"Skipping registry '{url}' because it is not a valid URL.")
        elif key not in known:
            run.say(f"No new service connections that matched {_host(key)} were found")
        elif key not in done:
            done.add(key)
            run.say(f"Adding credentials for the {_host(key)} service connection")
            kept = _npmrc.without_credentials(lines, url)
            if kept != lines:
                run.warn(_overridden(_host(key)))
            lines = [*kept, *_npmrc.credential_lines(run, known[key])]
    _npmrc.write(file, lines)


def _file(run: TaskRun) -> Path:
    run.required("workingFile")
    file = run.path("workingFile")
    if not file.name.endswith(".npmrc"):
        raise TaskFailedError(
            f"The file you selected to authenticate ({file}) is not a valid .npmrc file.", where=run.task
        )
    if not file.is_file():
        raise TaskFailedError(f"The .npmrc file you selected at {file} does not currently exist.", where=run.task)
    return file.resolve()  # a link stays one


def _read(file: Path) -> list[str]:
    try:
        return file.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeError) as error:
        raise TaskFailedError("the .npmrc file cannot be read", where=str(file), why=str(error)) from error


def _note(run: TaskRun, urls: list[str]) -> None:
    earlier = [one for one in run.variable(_DONE).split(",") if one]
    for url in urls:
        if url in earlier:
            run.warn(f"Auth for the registry '{url}' was previously set. Overwriting with new configuration.")
    if urls:
        run.set_variable(_DONE, ",".join(dict.fromkeys([*earlier, *urls])))


def _host(key: str) -> str:
    return key.removeprefix("//").partition("/")[0]


def _overridden(host: str) -> str:
    return (
        f"Found and overrode credentials for the {host} registry in the selected .npmrc file. Remove credentials from "
        "the file and store them in an npm service connection instead (recommended), or remove the npm Authenticate "
        "task from your build to use credentials checked into an .npmrc."
    )
