"""`ServiceFabricDeploy@1`: an application package goes to a cluster, its application is created or upgraded."""

from __future__ import annotations

import tempfile
import threading
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sluice.plugin import CanceledError, TaskFailedError, TaskRun
from sluice_service_fabric import _upgrade
from sluice_service_fabric._cluster import Cluster, ClusterError, quoted
from sluice_service_fabric._package import MANIFEST, MARK, Package, Profile, Wanted
from sluice_service_fabric._words import printable

IN_USE = "FABRIC_E_APPLICATION_TYPE_IN_USE"
REGISTER_SECONDS = 600
"""So long a cluster may take to register a package where the step says nothing else."""
_FIRST_WAIT = 0.25
_LONGEST_WAIT = 5.0
_SETTLED = {"RollingForwardCompleted", "RollingBackCompleted", "Failed"}


def deploy(run: TaskRun) -> None:
    """Carry out the step."""
    connection = run.connection("serviceConnectionName")
    if run.flag("configureDockerSettings"):
        raise TaskFailedError(
            "configureDockerSettings is not supported",
            where=run.task,
            why="the password is encrypted with the cluster's certificate, by the Windows SDK of Service Fabric",
            do="put <RepositoryCredentials> into the application manifest",
        )
    package = Package.read(_package_folder(run))
    profile = Profile.read(_file(run, "publishProfilePath")) if run.input("publishProfilePath").strip() else Profile()
    wanted = _wanted(run, package, profile)
    if not run.flag("skipPackageValidation"):
        package.check()
    if run.flag("useDiffPackage"):
        run.warn("useDiffPackage has no effect: the whole package is copied")
    Deployment(run, Cluster.open(connection), package, profile, wanted).carry_out()


@dataclass(frozen=True, slots=True)
class Deployment:
    """One package on its way to one cluster."""

    run: TaskRun
    cluster: Cluster
    package: Package
    profile: Profile
    wanted: Wanted

    def carry_out(self) -> None:
        """Create the application, or upgrade or replace the one that there is."""
        existing = self.cluster.get(f"/Applications/{self._id}")
        upgrade = _upgrade.settings(self.run, self.profile.upgrade)
        if not existing:
            self._register()
            self._create()
        elif upgrade is not None:
            self._upgrade(existing, upgrade)
        else:
            self._replace(existing)

    @property
    def _id(self) -> str:
        return quoted(self.wanted.name.removeprefix("fabric:/").replace("/", "~"))

    def _create(self) -> None:
        parameters = [{"Key": key, "Value": value} for key, value in self.wanted.parameters.items()]
        named = {"Name": self.wanted.name, "TypeName": self.package.type, "TypeVersion": self.package.version}
        self.run.say(f"Creating application {self.wanted.name}...")
        self.cluster.change("POST", "/Applications/$/Create", body={**named, "ParameterList": parameters})
        self.run.say("Create application succeeded.")

    def _replace(self, existing: Mapping[str, Any]) -> None:
        """An application of the name is there and is not to be upgraded: what `overwriteBehavior` says."""
        behavior = self.run.input("overwriteBehavior")
        same = (existing.get("TypeName"), existing.get("TypeVersion")) == (self.package.type, self.package.version)
        if behavior == "Never" or (behavior == "SameAppTypeAndVersion" and not same):
            other = f"{printable(existing.get('TypeName'))} {printable(existing.get('TypeVersion'))}"
            raise TaskFailedError(
                f"An application with name '{self.wanted.name}' already exists, its type and version are {other}",
                where=self.run.task,
                why=f"overwriteBehavior is {behavior}",
                do="set overwriteBehavior to Always, or let it be upgraded",
            )
        self.run.say(f"Removing application {self.wanted.name}, which exists already...")
        self.cluster.change("POST", f"/Applications/{self._id}/$/Delete")
        if same:
            self._unregister(self.package.version)
        self._register()
        self._create()

    def _upgrade(self, existing: Mapping[str, Any], upgrade: Mapping[str, str]) -> None:
        if existing.get("TypeName") != self.package.type:
            raise TaskFailedError(
                f"the application {self.wanted.name} is of another type: {printable(existing.get('TypeName'))}",
                where=self.run.task,
            )
        if existing.get("TypeVersion") == self.package.version and self.run.flag("skipUpgradeSameTypeAndVersion"):
            self.run.say(f"Upgrade is skipped: {self.wanted.name} has type and version already.")
            return
        body = _upgrade.description(self.run, upgrade, name=self.wanted.name, version=self.package.version)
        body["Parameters"] = [{"Key": key, "Value": value} for key, value in self.wanted.parameters.items()]
        self._register()
        self.run.say(f"Starting upgrade of {self.wanted.name} to version {self.package.version}...")
        self.cluster.change("POST", f"/Applications/{self._id}/$/Upgrade", body=body)
        self._wait_for_upgrade(upgrade.get("UpgradeMode", ""))
        if self.run.flag("unregisterUnusedVersions"):
            self._unregister_unused()

    def _wait_for_upgrade(self, mode: str) -> None:
        told = ""
        for _ in _waits(self.run):
            progress = self.cluster.get(f"/Applications/{self._id}/$/GetUpgradeProgress")
            state = str(progress.get("UpgradeState", ""))
            domains = [one for one in progress.get("UpgradeDomains") or [] if isinstance(one, dict)]
            done = sum(one.get("State") == "Completed" for one in domains)
            if domains:
                self.run.progress(100 * done // len(domains), f"{done} of {len(domains)} upgrade domains")
            if (line := f"{printable(state, most=50)}: {done} of {len(domains)} upgrade domains") != told:
                self.run.say(line)
                told = line
            if state == "RollingForwardCompleted":
                self.run.say("Upgrade completed successfully.")
                return
            if state == "RollingForwardPending" and mode == "UnmonitoredManual":
                self.run.warn("The upgrade waits for somebody to move it on to the next upgrade domain.")
                return
            if state in _SETTLED:
                why = printable(progress.get("FailureReason") or progress.get("UpgradeStatusDetails") or "")
                raise TaskFailedError(
                    f"the upgrade of {self.wanted.name} ended as {state}", where=self.run.task, why=why
                )

    def _register(self) -> None:
        """Copy the package to the image store and register it; one that is registered and in use stays as it is."""
        if self._versions().get(self.package.version):
            self.run.say(f"{self.package.type} {self.package.version} is registered already; it is registered anew.")
            if not self._unregister(self.package.version):
                self.run.say("An application uses it: it stays as it is.")
                return
        place = f"{self.package.type}_{uuid.uuid4().hex}"
        self._copy(place)
        try:
            self._provision(place)
        finally:
            self.cluster.change("DELETE", f"/ImageStore/{quoted(place)}")

    def _copy(self, place: str) -> None:
        compress = self.run.flag("compressPackage") or self.profile.compress
        seconds = self.run.input("copyPackageTimeoutSec").strip() or self.profile.copy_seconds
        query = {"timeout": _seconds(self.run, "copyPackageTimeoutSec", seconds)} if seconds else {}
        self.run.say(f"Copying application package {self.package.folder} to the image store...")
        with tempfile.TemporaryDirectory(prefix="package-", dir=self.run.temp) as name:
            package = self.package.compressed(Path(name)) if compress else self.package
            for folder, files in package.files():
                target = "/".join(quote(one, safe="") for one in (place, *folder.split("/")) if one)
                for file in files:
                    if self.run.canceled:
                        raise CanceledError("canceled while the package was copied")
                    with file.open("rb") as content:
                        path = f"/ImageStore/{target}/{quote(file.name, safe='')}"
                        self.cluster.change("PUT", path, query=query, content=content)
                self.cluster.change("PUT", f"/ImageStore/{target}/{MARK}", query=query, content=b"")
        self.run.say("Copy application package succeeded.")

    def _provision(self, place: str) -> None:
        given = self.run.input("registerPackageTimeoutSec").strip()
        seconds = int(_seconds(self.run, "registerPackageTimeoutSec", given)) if given else REGISTER_SECONDS
        self.run.say(f"Registering application type {self.package.type} {self.package.version}...")
        body = {"Kind": "ImageStorePath", "Async": True, "ApplicationTypeBuildPath": place}
        self.cluster.change("POST", "/ApplicationTypes/$/Provision", version="6.2", body=body)
        for waited in _waits(self.run):
            found = self._versions().get(self.package.version, {})
            status = found.get("Status")
            if status == "Available":
                self.run.say("Register application type succeeded.")
                return
            if status == "Failed":
                why = printable(found.get("StatusDetails"))
                raise TaskFailedError("the cluster could not register the package", where=self.run.task, why=why)
            if waited > seconds:
                raise TaskFailedError(
                    f"the cluster did not register the package within {seconds} s", where=self.run.task
                )

    def _versions(self) -> dict[str, dict[str, Any]]:
        """What the cluster knows of each version of the application type."""
        found = self.cluster.get(f"/ApplicationTypes/{quoted(self.package.type)}").get("Items")
        items = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
        return {str(one.get("Version")): one for one in items}

    def _unregister(self, version: str) -> bool:
        """Whether the version could be unregistered: not while an application uses it."""
        try:
            self.cluster.change(
                "POST",
                f"/ApplicationTypes/{quoted(self.package.type)}/$/Unprovision",
                body={"ApplicationTypeVersion": version},
            )
        except ClusterError as error:
            if error.code == IN_USE:
                return False
            raise
        return True

    def _unregister_unused(self) -> None:
        for version in self._versions():
            if version != self.package.version and self._unregister(version):
                self.run.say(f"Unregistered {self.package.type} {printable(version, most=100)}, which nothing uses.")


def _package_folder(run: TaskRun) -> Path:
    pattern = run.required("applicationPackagePath").strip()
    plain = run.path("applicationPackagePath")
    if plain.is_dir():
        return plain
    found = [path.parent for path in run.files(run.sources, [f"{pattern.rstrip('/')}/{MANIFEST}"])]
    if len(found) != 1:
        what = f"Found {len(found)} application packages" if found else "Not found"
        raise TaskFailedError(f"{what}: {pattern}", where=run.task, do="name one folder with an application package")
    return found[0]


def _file(run: TaskRun, name: str) -> Path:
    """The file that an input names, which may be a pattern for exactly one."""
    plain = run.path(name)
    if plain.is_file():
        return plain
    found = run.files(run.sources, [run.input(name).strip()])
    if len(found) != 1:
        raise TaskFailedError(f"{name} names {len(found)} files: {run.input(name)}", where=run.task)
    return found[0]


def _wanted(run: TaskRun, package: Package, profile: Profile) -> Wanted:
    """The application's name and parameters; variables of the pipeline stand for parameters of their names."""
    if run.input("applicationParameterPath").strip():
        path = _file(run, "applicationParameterPath")
    elif profile.parameter_file is not None:
        path = profile.parameter_file
    else:
        raise TaskFailedError(
            "nothing says what the application's name is",
            where=run.task,
            do="set applicationParameterPath, or publishProfilePath to a profile that names a file with parameters",
        )
    wanted = Wanted.read(path)
    if not run.flag("overrideApplicationParameter"):
        return wanted
    overridden = {name: value for name in package.parameters if (value := run.variable(name))}
    return replace(wanted, parameters={**wanted.parameters, **overridden})


def _seconds(run: TaskRun, name: str, text: str) -> str:
    if not text.isdecimal() or int(text) < 1:
        raise TaskFailedError(f"input '{name}' is no number of seconds: '{text}'", where=run.task)
    return text


def _waits(run: TaskRun) -> Iterator[float]:
    """Before each question after the first a pause, which a cancellation ends; the answer is the seconds so far."""
    canceled = threading.Event()
    run.on_cancel(canceled.set)
    waited, pause = 0.0, _FIRST_WAIT
    while True:
        yield waited
        if canceled.wait(pause):
            raise CanceledError("canceled while waiting for the cluster")
        waited += pause
        pause = min(pause * 2, _LONGEST_WAIT)
