from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import Giver
from tests.doubles.app_center import AppCenter
from tests.doubles.web import Double

from sluice.runtime.request import Result
from sluice.testing.connections import make_connection
from sluice.testing.task_runner import TaskOutcome, run_task

TOKEN = "app-center-token-0001"
CONTENT = bytes(range(50))
EVERYONE = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def center(serve: Callable[[Double], None]) -> AppCenter:
    double = AppCenter()
    double.groups[EVERYONE] = "All-users-of-app"
    serve(double)
    return double


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "app one.apk").write_bytes(CONTENT)
    return tmp_path


def distribute(center: AppCenter, sources: Path, variables: dict[str, str] | None = None, **inputs: str) -> TaskOutcome:
    connection = make_connection("vsmobilecenter", "center", url=f"{center.url}/v0.1", values={"apitoken": TOKEN})
    given = {"appSlug": "octo/app", "appFile": "out/*.apk", "releaseNotesInput": "Notes."}
    return run_task(
        "AppCenterDistribute@3",
        inputs=given | inputs,
        connections={"serverEndpoint": connection},
        sources=sources,
        variables=variables or {},
    )


def test_a_release_goes_up_in_chunks_and_to_the_groups(center: AppCenter, sources: Path, evidence: Giver) -> None:
    center.polls = 1
    variables = {"Build.SourceBranch": "refs/heads/main", "Build.SourceVersion": "abc", "Build.BuildId": "9"}
    outcome = distribute(
        center,
        sources,
        variables,
        distributionGroupId="g-1; g-2",
        isMandatory="true",
        isSilent="true",
        buildVersion="5",
    )
    assert outcome.result is Result.SUCCEEDED, outcome.message
    assert center.content() == CONTENT
    assert (center.metadata["file_name"], center.metadata["content_type"]) == (
        "app one.apk",
        "application/vnd.android.package-archive",
    )
    assert center.uploads["upload-1"]["build_version"] == "5"
    release = center.releases[7]
    assert release["release_notes"] == "Notes."
    assert release["build"] == {"id": "9", "branch": "main", "commit_hash": "abc"}
    wanted = {"mandatory_update": True, "notify_testers": False}
    assert release["to"] == [("/groups", {"id": id_, **wanted}) for id_ in ("g-1", "g-2")]
    assert TOKEN not in outcome.log
    assert "of=upload" not in outcome.log
    evidence("vsmobilecenter", "Token", "used", "App Center (double)", task="AppCenterDistribute@3")


def test_who_names_no_group_means_everyone_and_a_store_is_one(center: AppCenter, sources: Path) -> None:
    assert distribute(center, sources).result is Result.SUCCEEDED
    assert center.releases[7]["to"] == [("/groups", {"id": EVERYONE, "mandatory_update": False})]
    (sources / "notes.md").write_text("From a file.")
    outcome = distribute(
        center,
        sources,
        destinationType="store",
        destinationStoreId="s-1",
        releaseNotesOption="file",
        releaseNotesFile="notes.md",
    )
    assert outcome.result is Result.SUCCEEDED
    assert center.releases[7]["to"] == [("/stores", {"id": "s-1"})]
    assert center.releases[7]["release_notes"] == "From a file."


def test_chunks_that_get_lost_go_again(center: AppCenter, sources: Path) -> None:
    center.lost = {2, 5}
    assert distribute(center, sources).result is Result.SUCCEEDED
    assert center.content() == CONTENT


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"appSlug": "app"}, "appSlug is written as owner/app"),
        ({"app": "out/*.ipa"}, "Cannot find any file based on out/*.ipa."),
        ({"app": "out/**"}, "Found multiple files matching out/**."),
        ({"releaseNotesInput": ""}, "Input required: releaseNotesInput"),
        ({"destinationType": "store", "destinationStoreId": "a,b"}, "Cannot distribute to multiple stores"),
        ({"destinationGroupIds": ",;"}, "The destination input provided was invalid"),
        ({"destinationType": "people"}, "destinationType is 'people'"),
    ],
)
def test_inputs_that_make_no_sense_ask_nobody(
    center: AppCenter, sources: Path, inputs: dict[str, str], message: str
) -> None:
    (sources / "out" / "two.apk").write_bytes(b"2")
    outcome = distribute(center, sources, None, **({"app": "out/two.apk"} | inputs))
    assert outcome.result is Result.FAILED
    assert message in outcome.message
    assert center.calls == []


def test_what_app_center_refuses_is_told(center: AppCenter, sources: Path) -> None:
    assert "the app has no destination nobody" in distribute(center, sources, destinationGroupIds="nobody").message
    center.broken = "the package is not signed"
    assert "Loading release id failed: the package is not signed" in distribute(center, sources).message
    center.read_only, center.tokens = center.tokens, set()
    assert "lack a permission: 403 Forbidden (give it a user or app token" in distribute(center, sources).message
    center.read_only = set()
    outcome = distribute(center, sources)
    assert "App Center API does not accept the credentials" in outcome.message
    assert TOKEN not in outcome.log


def names(content: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return sorted(archive.namelist())


def dsym(folder: Path, name: str) -> None:
    (folder / f"{name}.dSYM" / "Contents").mkdir(parents=True)
    (folder / f"{name}.dSYM" / "Contents" / "Info.plist").write_text("x")


@pytest.mark.parametrize(
    ("inputs", "packed"),
    [
        ({"dsymPath": "sym/*.dSYM"}, ["a.dSYM/Contents/Info.plist", "b.dSYM/Contents/Info.plist"]),
        ({"dsymPath": "**/*.dSYM"}, ["a.dSYM/Contents/Info.plist", "b.dSYM/Contents/Info.plist"]),
        ({"dsymPath": "sym/a.dSYM"}, ["Contents/Info.plist"]),
        (
            {"dsymPath": "sym/a.dSYM", "packParentFolder": "true"},
            ["a.dSYM/Contents/Info.plist", "b.dSYM/Contents/Info.plist"],
        ),
    ],
)
def test_symbols_of_apple_are_packed_folders(
    center: AppCenter, sources: Path, inputs: dict[str, str], packed: list[str]
) -> None:
    dsym(sources / "sym", "a")
    dsym(sources / "sym", "b")
    outcome = distribute(center, sources, None, **inputs)
    assert outcome.result is Result.SUCCEEDED, outcome.message
    assert names(center.blobs["symbols-1"]) == packed
    assert center.symbols["symbols-1"]["status"] == "committed"
    assert center.symbols["symbols-1"]["symbol_type"] == "Apple"
    assert "signature-0001" not in outcome.log


def test_symbols_of_android_are_a_mapping_and_packed_libraries(center: AppCenter, sources: Path) -> None:
    (sources / "mapping.txt").write_text("a -> b")
    (sources / "lib.so").write_bytes(b"elf")
    outcome = distribute(
        center, sources, symbolsType="Android", symbolsMappingTxtFile="mapping.txt", nativeLibrariesPath="lib.so"
    )
    assert outcome.result is Result.SUCCEEDED, outcome.message
    assert center.blobs["symbols-1"] == b"a -> b"
    about = center.symbols["symbols-1"]
    assert (about["symbol_type"], about["version"], about["build"]) == ("AndroidProguard", "1.2", "34")
    assert names(center.blobs["symbols-2"]) == ["lib.so"]


def test_missing_symbols_fail_the_task_unless_told_otherwise(center: AppCenter, sources: Path) -> None:
    outcome = distribute(center, sources, symbolsType="UWP", appxsymPath="x.appxsym")
    assert "Failed to find appxsymPath at x.appxsym." in outcome.message
    lenient = {"VSMobileCenterUpload.ContinueIfSymbolsNotFound": "true"}
    outcome = distribute(center, sources, lenient, symbolsType="UWP", appxsymPath="x.appxsym")
    assert outcome.result is Result.SUCCEEDED
    assert outcome.messages("warning") == ["Failed to find appxsymPath at x.appxsym."]
