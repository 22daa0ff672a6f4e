"""`AzureWebApp@1` and `AzureFunctionApp@2`: settings, then the package, by zip deployment."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from sluice.plugin import Connection, TaskFailedError, TaskRun
from sluice_azure._app_service import App, Kudu
from sluice_azure._arm import Arm
from sluice_azure._client import pause_of
from sluice_azure._override_parameters import parse
from sluice_azure._template import one_file

FROM_PACKAGE = "WEBSITE_RUN_FROM_PACKAGE"
_KINDS = {".zip": "zip", ".war": "war", ".jar": "jar"}
_METHODS = ("auto", "zipDeploy", "runFromPackage")
_NOT_HERE = ("customWebConfig", "siteContainersConfig")


def run_web_app(run: TaskRun) -> None:
    """`AzureWebApp@1`: deploy a zip, a folder, a `.war` or a `.jar`."""
    for name in _NOT_HERE:
        if run.input(name).strip():
            raise TaskFailedError(f"'{name}' is not supported", where=run.task, do="put what it makes into the package")
    connection = run.connection("azureSubscription")
    with _package(run) as (package, kind):
        if connection.scheme.casefold() == "publishprofile":
            _refuse_settings(run, connection)
            Kudu.of_profile(run, connection).deploy(package, kind=kind)
            return
        app = _app(run, connection)
        _prepare(run, app)
        configuration = dict(parse(run.input("configurationStrings")))
        if run.input("appType").strip().casefold() == "webapplinux":
            stack, command = run.input("runtimeStack").strip(), run.input("startUpCommand").strip()
            configuration |= {"linuxFxVersion": stack} if stack else {}
            configuration |= {"appCommandLine": command} if command else {}
        app.configure(run, configuration)
        path = f"webapps/{folder}" if (folder := run.input("customDeployFolder").strip()) and kind == "war" else ""
        Kudu.of_app(run, app).deploy(package, kind=kind, path=path)
    _deployed(run, app)


def run_function_app(run: TaskRun) -> None:
    """`AzureFunctionApp@2`: deploy a zip, or a folder."""
    connection = run.connection("azureSubscription")
    with _package(run) as (package, kind):
        if kind != "zip":
            raise TaskFailedError(
                f"'{package.name}' is no zip file", where=run.task, do="a function app takes a zip or a folder"
            )
        if connection.scheme.casefold() == "publishprofile":
            _refuse_settings(run, connection)
            Kudu.of_profile(run, connection).deploy(package)
            return
        app = _app(run, connection)
        flexible = run.flag("isFlexConsumption")
        if not flexible:
            _prepare(run, app)
            if stack := run.input("runtimeStack").strip():
                app.configure(run, {"linuxFxVersion": stack})
        elif changes := dict(parse(run.input("appSettings"))):
            app.change_settings(run, changes)
        Kudu.of_app(run, app).deploy(package, one_deploy=flexible)
    _deployed(run, app)


def _app(run: TaskRun, connection: Connection) -> App:
    in_slot = run.flag("deployToSlotOrASE")
    group = run.required("resourceGroupName").strip() if in_slot else ""
    slot = run.input("slotName").strip() if in_slot else ""
    return App.find(Arm.of(connection, pause_of(run)), run.required("appName").strip(), group=group, slot=slot)


def _prepare(run: TaskRun, app: App) -> None:
    """The settings of the input, and that which says whether the app runs from its package."""
    written = run.input("deploymentMethod").strip() or "auto"
    method = next((one for one in _METHODS if one.casefold() == written.casefold()), "")
    if not method:
        raise TaskFailedError(f"Invalid deployment method '{written}'. The value must be one of: {', '.join(_METHODS)}")
    changes = dict(parse(run.input("appSettings")))
    if method == "runFromPackage":
        changes[FROM_PACKAGE] = "1"
    removed = (FROM_PACKAGE,) if method == "zipDeploy" else ()
    if changes or removed:
        app.change_settings(run, changes, removed)


def _deployed(run: TaskRun, app: App) -> None:
    run.set_variable("AppServiceApplicationUrl", app.url, output=True)
    run.say(f"App Service Application URL: {app.url}")


def _refuse_settings(run: TaskRun, connection: Connection) -> None:
    for name in ("appSettings", "configurationStrings", "startUpCommand", "runtimeStack"):
        if run.input(name).strip():
            raise TaskFailedError(
                f"'{name}' cannot be set with a publish profile",
                where=connection.name,
                do="use a connection with an identity",
            )


@contextlib.contextmanager
def _package(run: TaskRun) -> Iterator[tuple[Path, str]]:
    """The package and its kind; a folder becomes a zip file of the job's own, which goes again."""
    path = run.path("package")
    if path.is_dir():
        with _zipped(run, path) as file:
            yield file, "zip"
        return
    file = one_file(run, "package")
    kind = _KINDS.get(file.suffix.casefold())
    if kind is None:
        raise TaskFailedError(
            f"'{file.name}' is no package", where=run.task, do=f"it ends with one of: {', '.join(_KINDS)}"
        )
    yield file, kind


@contextlib.contextmanager
def _zipped(run: TaskRun, folder: Path) -> Iterator[Path]:
    descriptor, name = tempfile.mkstemp(suffix=".zip", dir=run.temp)
    try:
        with os.fdopen(descriptor, "wb") as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in run.files(folder, ["**"]):
                if path.is_file():
                    with path.open("rb") as source, archive.open(_entry(path, folder), "w", force_zip64=True) as target:
                        shutil.copyfileobj(source, target)
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _entry(path: Path, folder: Path) -> zipfile.ZipInfo:
    """The file's place in the archive, with its mode: scripts stay executable. Times before 1980 do not fit into one."""
    entry = zipfile.ZipInfo(path.relative_to(folder).as_posix())
    entry.external_attr = (path.stat().st_mode & 0xFFFF) << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry
