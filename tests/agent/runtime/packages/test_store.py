"""The installed packages: versions side by side, names, digests, and what tampering leads to."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.agent.runtime.packages.conftest import ID

from sluice.errors import ConflictError, NotFoundError, SealError, StorageError, UsageError
from sluice.runtime.packages.digest import glance
from sluice.runtime.packages.installed import InstalledPackages
from sluice.runtime.packages.lock_file import Installed, write_lock
from sluice.runtime.packages.store import TaskStore, fill_from
from sluice.storage.vouching import Voucher

if TYPE_CHECKING:
    from tests.agent.runtime.packages.conftest import Packages

OTHER = "5f1f7c3e-0000-4000-8000-000000000002"


@pytest.fixture
def store(tmp_path: Path) -> TaskStore:
    return TaskStore(tmp_path / "tasks", Voucher(None))


def _install(store: TaskStore, path: Path, **more: Any) -> Installed:
    return store.install(fill_from(path), source=str(path), **more)[0]


def test_versions_lie_side_by_side_and_the_newest_that_fits_is_meant(store: TaskStore, packages: Packages) -> None:
    for version in ("1.2.3", "1.10.0", "2.0.0"):
        _install(store, packages.write(version))
    found = {asked: store.get("probe", asked).version_text for asked in ("1", "1.2", "1.2.3", "2", "", "*", "1.*")}
    assert found == {
        "1": "1.10.0",
        "1.2": "1.2.3",
        "1.2.3": "1.2.3",
        "2": "2.0.0",
        "": "2.0.0",
        "*": "2.0.0",
        "1.*": "1.10.0",
    }
    assert store.find("probe", "3") is None
    assert store.find("probe", "x") is None
    with pytest.raises(NotFoundError, match=r"Probe@9.*installed: Probe@1, Probe@2"):
        store.get("Probe", "9")


def test_a_task_is_known_by_its_id_and_by_its_publisher(store: TaskStore, packages: Packages) -> None:
    entry = _install(store, packages.write(), extension="acme.tools", contribution="probe-task")
    for name in ("Probe", entry.id.upper(), "acme.tools.probe-task.probe", "Acme.Tools.Probe"):
        assert store.find(name, "1") == entry


def test_of_two_tasks_with_one_name_the_one_of_no_extension_wins_or_none(store: TaskStore, packages: Packages) -> None:
    _install(store, packages.write(), extension="acme.tools", contribution="a")
    _install(store, packages.write(id=OTHER), extension="other.tools", contribution="b")
    with pytest.raises(ConflictError, match=r"ambiguous.*acme\.tools\.a\.Probe.*other\.tools\.b\.Probe"):
        store.find("Probe", "1")
    assert store.get("other.tools.b.Probe", "1").id == OTHER
    own = _install(store, packages.write(id="5f1f7c3e-0000-4000-8000-000000000003"))
    assert store.find("Probe", "1") == own


def test_the_lock_file_holds_a_digest_that_sha256sum_can_check(
    store: TaskStore, packages: Packages, tmp_path: Path
) -> None:
    package = packages.write(files={"lib/b.js": "b"})
    entry = _install(store, package)
    names = sorted(str(path.relative_to(package)) for path in package.rglob("*") if path.is_file())
    listing = "".join(f"{hashlib.sha256((package / name).read_bytes()).hexdigest()}  {name}\n" for name in names)
    assert entry.digest == hashlib.sha256(listing.encode()).hexdigest()
    assert json.loads((tmp_path / "tasks/lock.json").read_text())["tasks"][0]["digest"] == entry.digest


def test_what_is_installed_already_is_left_and_other_content_refused(store: TaskStore, packages: Packages) -> None:
    _install(store, packages.write())
    same, new = store.install(fill_from(packages.write()), source="again")
    assert not new
    with pytest.raises(ConflictError, match="installed with other content"):
        _install(store, packages.write(files={"main.js": "evil()"}))
    assert (store.open(same) / "main.js").read_text() == "console.log('hello')\n"


@pytest.mark.parametrize(
    "attack", ["edit", "edit keeping size and time", "add", "remove", "replace by link", "folder by link"]
)
def test_a_package_that_was_changed_is_not_opened(
    store: TaskStore, packages: Packages, tmp_path: Path, attack: str
) -> None:
    entry = _install(store, packages.write(files={"lib/a.js": "aaaa"}))
    folder = store.open(entry)
    victim = folder / "lib/a.js"
    before = victim.stat()
    if attack == "edit":
        victim.write_text("evil")
    elif attack == "edit keeping size and time":
        victim.write_text("bbbb")
        os.utime(victim, ns=(before.st_atime_ns, before.st_mtime_ns))
    elif attack == "add":
        (folder / "lib/index.js").write_text("evil")
    elif attack == "remove":
        victim.unlink()
    elif attack == "replace by link":
        (tmp_path / "evil.js").write_text("aaaa")
        victim.unlink()
        victim.symlink_to(tmp_path / "evil.js")
    else:
        (folder / "lib").rename(tmp_path / "moved")
        (folder / "lib").symlink_to(tmp_path / "moved")
    for _ in range(2):
        with pytest.raises(ConflictError):
            store.open(entry)


def test_a_touched_package_that_is_the_same_is_opened(store: TaskStore, packages: Packages) -> None:
    entry = _install(store, packages.write())
    folder = store.open(entry)
    (folder / "main.js").touch()
    assert store.open(entry) == folder


def test_a_missing_package_is_told(store: TaskStore, packages: Packages) -> None:
    entry = _install(store, packages.write())
    folder = store.open(entry)
    folder.rename(folder.with_name("away"))
    with pytest.raises(ConflictError, match="was changed since it was installed"):
        store.open(entry)


def test_removing_takes_the_files_and_the_entry(store: TaskStore, packages: Packages, tmp_path: Path) -> None:
    first, second = _install(store, packages.write("1.0.0")), _install(store, packages.write("2.0.0"))
    store.open(first)
    assert store.remove(lambda one: one.version == first.version) == (first,)
    assert store.all == (second,)
    assert not (tmp_path / "tasks" / first.folder).exists()
    store.remove(lambda _: True)
    assert sorted(path.name for path in (tmp_path / "tasks").iterdir()) == [".lock", "lock.json"]


def test_nothing_is_left_of_an_installation_that_was_refused(
    store: TaskStore, packages: Packages, tmp_path: Path
) -> None:
    with pytest.raises(UsageError):
        _install(store, packages.write(name="../evil"))
    with pytest.raises(UsageError, match="lies outside the package"):
        _install(store, packages.write(execution={"Node": {"target": "../../evil.js"}}))
    assert {path.name for path in (tmp_path / "tasks").iterdir()} <= {".lock", "lock.json"}


def test_installing_at_once_loses_nothing(packages: Packages, tmp_path: Path) -> None:
    sources = [packages.write(f"1.0.{patch}") for patch in range(6)]
    threads = [
        threading.Thread(target=lambda path=path: _install(TaskStore(tmp_path / "tasks", Voucher(None)), path))
        for path in sources
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(TaskStore(tmp_path / "tasks", Voucher(None)).all) == 6


def test_to_be_preferred_is_kept_until_it_is_taken_back(store: TaskStore, packages: Packages) -> None:
    assert _install(store, packages.write(), preferred=True).preferred
    assert _install(store, packages.write()).preferred
    assert not _install(store, packages.write(), preferred=False).preferred


def test_an_empty_store_costs_one_look(tmp_path: Path) -> None:
    store = TaskStore(tmp_path / "nowhere", Voucher(None))
    assert store.all == ()
    assert not (tmp_path / "nowhere").exists()


def test_an_archive_needs_exactly_one_task(store: TaskStore, packages: Packages) -> None:
    manifest = json.dumps(packages.manifest())
    nested = packages.zip({"Probe/task.json": manifest, "Probe/main.js": "", "Probe/node_modules/x/task.json": "{}"})
    assert _install(store, nested).version_text == "1.2.3"
    with pytest.raises(UsageError, match="holds 2 tasks"):
        _install(store, packages.zip({"a/task.json": manifest, "b/task.json": manifest}, "two.zip"))
    with pytest.raises(UsageError, match="there is no task"):
        _install(store, packages.zip({"a/readme": "x"}, "none.zip"))


def test_an_extension_cannot_take_the_place_of_another_ones_task(store: TaskStore, packages: Packages) -> None:
    mine = _install(store, packages.write("1.0.0"), extension="acme.tools", contribution="a")
    with pytest.raises(ConflictError, match=r"installed from elsewhere.*acme\.tools"):
        _install(store, packages.write("1.9.0"), extension="evil.tools", contribution="a")
    assert store.install(fill_from(packages.write("1.0.0")), source="x", extension="evil.tools") == (mine, False)
    assert store.get("Probe", "1") == mine


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"version": 9, "tasks": []}', '{"version": "2", "tasks": []}', "[" * 100_000]
)
def test_a_broken_lock_file_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "lock.json").write_text(text)
    with pytest.raises(StorageError):
        _ = TaskStore(tmp_path, Voucher(None)).all


@pytest.mark.parametrize(
    "edit",
    [
        lambda stored: stored["tasks"][0].update(digest="0" * 64),
        lambda stored: stored["tasks"][0].update(preferred=True),
        lambda stored: stored["tasks"].append(stored["tasks"][0] | {"id": OTHER}),
        lambda stored: stored["tasks"].clear(),
        lambda stored: stored.update(code="0" * 64),
        lambda stored: stored.update(code=None),
        lambda stored: stored.pop("code"),
        lambda stored: (stored.pop("code"), stored.update(version=1)),
    ],
)
def test_a_lock_file_that_was_edited_without_the_key_is_refused(
    store: TaskStore, packages: Packages, tmp_path: Path, edit: Callable[[dict[str, Any]], object]
) -> None:
    _install(store, packages.write())
    lock = tmp_path / "tasks" / "lock.json"
    stored = json.loads(lock.read_text())
    edit(stored)
    lock.write_text(json.dumps(stored))
    reader = TaskStore(tmp_path / "tasks", Voucher(None))
    with pytest.raises(SealError, match="list of installed tasks"):
        _ = reader.all
    with pytest.raises(SealError):
        _install(reader, packages.write("9.9.9"))


def test_how_a_lock_file_is_laid_out_does_not_matter(store: TaskStore, packages: Packages, tmp_path: Path) -> None:
    entry = _install(store, packages.write())
    lock = tmp_path / "tasks" / "lock.json"
    lock.write_text(json.dumps(dict(reversed(json.loads(lock.read_text()).items()))))
    assert TaskStore(tmp_path / "tasks", Voucher(None)).all == (entry,)


def test_a_changed_package_is_not_opened_whatever_a_marker_beside_it_says(
    store: TaskStore, packages: Packages, tmp_path: Path
) -> None:
    entry = _install(store, packages.write())
    folder = store.open(entry)
    (folder / "main.js").write_text("console.log('TAMPERED')")
    marker = folder.with_name(f"{entry.version_text}.seen")
    marker.write_text(f"{entry.digest} {glance(folder)[0]}")
    for each in (store, TaskStore(tmp_path / "tasks", Voucher(None))):
        with pytest.raises(ConflictError, match="was changed"):
            each.open(entry)


BASH = "6c731c3c-3c68-459a-a5c9-bde6e6595b5b"
CHECKOUT = "6d15af64-176c-496d-b583-fd2ae21d4df4"


@pytest.mark.parametrize("id_", [BASH, BASH.upper(), CHECKOUT])
@pytest.mark.parametrize("version", ["3.0.0", "1.0.0", "9.0.0"])
def test_a_known_id_is_not_taken_under_another_name(
    store: TaskStore, packages: Packages, id_: str, version: str
) -> None:
    with pytest.raises(ConflictError, match=r"which is that of (Bash|Checkout)"):
        _install(store, packages.write(version, id=id_, name="Evil"))
    assert store.all == ()


def test_an_installed_id_is_not_taken_under_another_name(store: TaskStore, packages: Packages) -> None:
    _install(store, packages.write())
    with pytest.raises(ConflictError, match="which is that of Probe"):
        _install(store, packages.write("1.9.9", name="Evil"))
    assert _install(store, packages.write("1.9.9", name="probe")).version_text == "1.9.9"


def test_a_built_in_task_named_by_its_id_is_not_a_package_of_another_name(
    store: TaskStore, packages: Packages, tmp_path: Path
) -> None:
    """As a store of an older Sluice may hold one."""
    entry = _install(store, packages.write("3.0.0", name="Evil"), preferred=True)
    write_lock(tmp_path / "tasks" / "lock.json", [replace(entry, id=BASH)], Voucher(None))
    (tmp_path / "tasks" / f"Evil_{ID}").rename(tmp_path / "tasks" / f"Evil_{BASH}")
    installed = InstalledPackages(store=TaskStore(tmp_path / "tasks", Voucher(None)), handled=lambda _: False)
    assert installed.find(BASH, "3") is None
    assert installed.find(BASH.upper(), "3") is None
    assert installed.find("Evil", "3") is not None


@pytest.mark.parametrize("kind", ["Node20_1", "PowerShell3", "Process", "PowerShell"])
@pytest.mark.parametrize(
    "target",
    ["../evil.js", "/bin/evil", "a/../../evil", "..\\\\evil", "$(currentDirectory)/../evil", "$(x)/../../evil", ".."],
)
def test_every_handler_has_its_code_in_the_package(
    store: TaskStore, packages: Packages, kind: str, target: str
) -> None:
    if target.startswith("$(currentDirectory)") and kind != "Process":
        target = target.removeprefix("$(currentDirectory)/")
    with pytest.raises(UsageError, match="outside the package"):
        _install(store, packages.write(execution={kind: {"target": target.replace("\\\\", "\\")}}))


@pytest.mark.parametrize(
    "target", ["git", "tool.exe", "bin/tool", "$(currentDirectory)/tool", "$(currentDirectory)\\tool"]
)
def test_a_process_is_a_program_by_name_or_a_file_of_the_package(
    store: TaskStore, packages: Packages, target: str
) -> None:
    assert _install(store, packages.write(execution={"Process": {"target": target}}))
