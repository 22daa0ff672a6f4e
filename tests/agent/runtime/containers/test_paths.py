from __future__ import annotations

from pathlib import Path

import pytest

from sluice.runtime.containers.paths import PathMap, mounts, path_map

WORK = Path("/home/me/.sluice/work")


@pytest.fixture
def paths() -> PathMap:
    return path_map(WORK, mounts(WORK, WORK / "7" / "job", WORK / "_temp" / "7", [Path("/packages/a/1.0")]))


@pytest.mark.parametrize(
    ("host", "container"),
    [
        (f"{WORK}/7/job/s", "/__w/1/s"),
        (f"{WORK}/7/job", "/__w/1"),
        (f"{WORK}/_temp/7/x.sh", "/__w/_temp/x.sh"),
        (f"{WORK}/_tool", "/__t"),
        ("/packages/a/1.0/index.js", "/__w/_tasks/0/index.js"),
        (f"{WORK}", "/__w"),
        ("/home/me/.sluice", "/__a"),
    ],
)
def test_folders_of_the_job_have_the_names_of_the_agent(paths: PathMap, host: str, container: str) -> None:
    assert paths.inner(host) == container
    assert paths.outer(container) == host


@pytest.mark.parametrize("text", ["", "text", "/usr/bin", "/home/me/.sluicex", f"see {WORK}/7"])
def test_other_texts_stay_as_they_are(paths: PathMap, text: str) -> None:
    assert paths.inner(text) == text


@pytest.mark.parametrize("path", ["/etc/passwd", "/__w/1/../../etc/passwd", "relative", "/__wx"])
def test_what_only_the_container_has_is_nothing_of_the_host(paths: PathMap, path: str) -> None:
    assert paths.outer(path) is None


def test_a_path_cannot_leave_a_folder_for_another_one_of_the_host(paths: PathMap) -> None:
    assert paths.outer("/__w/1/../1/s") == f"{WORK}/7/job/s"


def test_the_root_of_a_file_system_is_no_folder_of_the_agent() -> None:
    paths = path_map(Path("/work"), mounts(Path("/work"), Path("/work/1"), Path("/work/_temp/1"), []))
    assert paths.inner("/usr") == "/usr"
