"""Checkout of the local repository: its commit, what is not committed, and its limits."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sluice.runtime import checkout as module

if TYPE_CHECKING:
    from tests.agent.runtime.conftest import Jobs, Ran

IDENTITY = ("-c", "user.name=T", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main")


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *IDENTITY, "-c", "protocol.file.allow=always", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ["PATH"], "HOME": os.fspath(folder)},
    )
    return done.stdout.strip()


def commit(folder: Path, files: dict[str, str], message: str = "m") -> str:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", message)
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def repository(jobs: Jobs) -> Path:
    git(jobs.repository, "init", "-q")
    commit(jobs.repository, {"a.txt": "a", "gone.txt": "x", "sub/b.txt": "b", ".gitignore": "ignored\n", "run.sh": "x"})
    return jobs.repository


def check_out(jobs: Jobs, *more: object, **inputs: str) -> Ran:
    steps = [jobs.step("Checkout@1", "Checkout", inputs={"repository": "self"} | inputs)]
    return jobs.run(*steps, *more)  # type: ignore[arg-type]


def tree(folder: Path) -> dict[str, str]:
    """Files but those of git, with their text; a link shows where it leads."""
    return {
        path.relative_to(folder).as_posix(): f"-> {path.readlink()}" if path.is_symlink() else path.read_text()
        for path in sorted(folder.rglob("*"))
        if ".git" not in path.parts and (path.is_symlink() or path.is_file())
    }


def sources(jobs: Jobs) -> Path:
    return jobs.work / "1" / "s"


def test_the_commit_and_the_uncommitted_state_come_over(jobs: Jobs, repository: Path) -> None:
    (repository / "a.txt").write_text("changed")
    (repository / "gone.txt").unlink()
    (repository / "new.txt").write_text("new")
    (repository / "staged.txt").write_text("staged")
    git(repository, "add", "staged.txt")
    (repository / "ignored").write_text("ignored")
    (repository / "run.sh").chmod(0o755)
    (repository / "um läut\n").write_text("odd name")
    (repository / "link").symlink_to("/etc/passwd")
    before = git(repository, "status", "--porcelain")
    ran = check_out(jobs)
    assert ran.results() == {"Checkout": "Succeeded"}
    assert tree(sources(jobs)) == {
        ".gitignore": "ignored\n",
        "a.txt": "changed",
        "new.txt": "new",
        "staged.txt": "staged",
        "sub/b.txt": "b",
        "run.sh": "x",
        "um läut\n": "odd name",
        "link": "-> /etc/passwd",
    }
    assert os.access(sources(jobs) / "run.sh", os.X_OK)
    assert git(repository, "status", "--porcelain") == before


def test_the_copy_is_a_repository_of_its_own_without_credentials(jobs: Jobs, repository: Path) -> None:
    git(repository, "remote", "add", "origin", "https://user:pa55word@example.com/r.git")
    git(repository, "tag", "v1")
    check_out(jobs)
    copy = sources(jobs)
    assert git(copy, "rev-parse", "HEAD") == git(repository, "rev-parse", "HEAD")
    assert git(copy, "config", "remote.origin.url") == "https://example.com/r.git"
    assert git(copy, "tag") == "v1"
    assert not (copy / ".git/objects/info/alternates").exists()
    commit(copy, {"a.txt": "committed in the job"})
    assert git(repository, "log", "--oneline").count("\n") == 0
    assert b"pa55word" not in b"".join(path.read_bytes() for path in (copy / ".git").glob("*") if path.is_file())


def test_depth_and_tags_are_honoured(jobs: Jobs, repository: Path) -> None:
    git(repository, "tag", "v1")
    commit(repository, {"a.txt": "2"})
    check_out(jobs, fetchDepth="1", fetchTags="false")
    assert git(sources(jobs), "rev-list", "--count", "HEAD") == "1"
    assert git(sources(jobs), "tag") == ""


def test_hooks_and_templates_of_the_user_do_not_run(jobs: Jobs, repository: Path, tmp_path: Path) -> None:
    hook = tmp_path / "hooks" / "post-checkout"
    hook.parent.mkdir()
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    hook.chmod(0o755)
    (tmp_path / ".gitconfig").write_text(
        f"[core]\n\thooksPath = {tmp_path}/hooks\n[init]\n\ttemplateDir = {tmp_path}\n"
    )
    assert check_out(jobs).results() == {"Checkout": "Succeeded"}
    assert not (tmp_path / "ran").exists()


def test_a_second_checkout_updates_and_clean_wipes(jobs: Jobs, repository: Path) -> None:
    check_out(jobs)
    (sources(jobs) / "built").write_text("by the last job")
    commit(repository, {"a.txt": "newer"})
    check_out(jobs)
    assert tree(sources(jobs))["a.txt"] == "newer"
    assert (sources(jobs) / "built").exists()
    check_out(jobs, clean="true")
    assert not (sources(jobs) / "built").exists()
    assert tree(sources(jobs))["a.txt"] == "newer"


def test_a_link_in_the_commit_does_not_lead_the_copy_outside(jobs: Jobs, repository: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (repository / "way").symlink_to(outside)
    commit(repository, {})
    (repository / "way").unlink()
    (repository / "way").mkdir()
    (repository / "way" / "file").write_text("x")
    check_out(jobs)
    assert list(outside.iterdir()) == []
    assert (sources(jobs) / "way" / "file").read_text() == "x"


def test_without_a_commit_the_files_that_are_not_ignored_are_copied(jobs: Jobs) -> None:
    git(jobs.repository, "init", "-q")
    (jobs.repository / ".gitignore").write_text("build/\n")
    (jobs.repository / "build").mkdir()
    (jobs.repository / "build" / "big").write_text("x")
    (jobs.repository / "a.txt").write_text("a")
    assert check_out(jobs).results() == {"Checkout": "Succeeded"}
    assert tree(sources(jobs)) == {".gitignore": "build/\n", "a.txt": "a"}


def test_without_git_the_files_are_copied(jobs: Jobs, tmp_path: Path) -> None:
    (jobs.repository / "d").mkdir()
    (jobs.repository / "d" / "f").write_text("f")
    (jobs.repository / "link").symlink_to(tmp_path)
    os.mkfifo(jobs.repository / "pipe")
    ran = check_out(jobs)
    assert ran.results() == {"Checkout": "Succeeded"}
    assert tree(sources(jobs)) == {"d/f": "f", "link": f"-> {tmp_path}"}


def test_a_repository_without_git_on_the_machine_is_copied(jobs: Jobs, repository: Path) -> None:
    jobs.environ["PATH"] = "/nowhere"
    ran = check_out(jobs)
    assert "git is not installed" in ran.log("Checkout")
    assert tree(sources(jobs))["a.txt"] == "a"


def test_an_empty_folder_costs_next_to_nothing(jobs: Jobs) -> None:
    took = []  # processor time: the machine may be busy with other things
    for number in range(5):
        begun = time.process_time()
        jobs.run(jobs.step("Checkout@1"), id=f"job{number}", workspace=jobs.work / str(number))
        took.append(time.process_time() - begun)
    assert min(took) < 0.01


@pytest.mark.parametrize("limit", ["MAX_FILES", "MAX_BYTES"])
def test_too_much_to_copy_is_refused_before_anything_is_copied(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(module, limit, 3)
    for number in range(4):
        (jobs.repository / f"f{number}").write_text("12")
    ran = check_out(jobs)
    assert ran.results() == {"Checkout": "Failed"}
    ((_, message),) = ran.issues()
    assert "checkout: none" in message
    assert "git init" in message
    assert tree(sources(jobs)) == {}


def test_a_checkout_that_nobody_wrote_only_warns_of_a_folder_that_is_too_large(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_FILES", 3)
    for number in range(4):
        (jobs.repository / f"f{number}").write_text("12")
    implicit = jobs.step("Checkout@1", "Checkout", inputs={"repository": "self"}, implicit=True)
    ran = jobs.run(implicit, jobs.script("ls | wc -l; pwd"))
    assert ran.results() == {"Checkout": "Succeeded", "A": "Succeeded"}
    assert ran.output("A") == ["0", os.fspath(sources(jobs))]
    ((kind, message),) = ran.issues()
    assert kind == "warning"
    for part in ("sources folder stays empty", "more than 3 files", "checkout: none", "git init"):
        assert part in message


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_checkout_that_nobody_wrote_only_warns_of_a_folder_that_cannot_be_read(jobs: Jobs) -> None:
    closed = jobs.repository / "closed"
    closed.mkdir(mode=0)
    implicit = jobs.step("Checkout@1", "Checkout", inputs={"repository": "self"}, implicit=True)
    assert jobs.run(implicit).results() == {"Checkout": "Succeeded"}
    assert check_out(jobs).results() == {"Checkout": "Failed"}


def test_a_repository_with_too_much_that_is_not_committed_fails_even_when_nobody_wrote_the_checkout(
    jobs: Jobs, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_FILES", 3)
    for number in range(4):
        (repository / f"f{number}").write_text("12")
    implicit = jobs.step("Checkout@1", "Checkout", inputs={"repository": "self"}, implicit=True)
    assert jobs.run(implicit).results() == {"Checkout": "Failed"}


def test_submodules_come_from_where_they_lie(jobs: Jobs, repository: Path, tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    git(library, "init", "-q")
    commit(library, {"l.txt": "l"})
    git(repository, "submodule", "add", "-q", os.fspath(library), "lib")
    git(repository, "submodule", "add", "-q", os.fspath(library), "other")
    commit(repository, {})
    (repository / "lib" / "l.txt").write_text("changed in place")
    git(repository, "submodule", "deinit", "-q", "-f", "other")
    check_out(jobs)
    assert "lib/l.txt" not in tree(sources(jobs))
    ran = check_out(jobs, submodules="true")
    assert ran.results() == {"Checkout": "Succeeded"}
    assert tree(sources(jobs))["lib/l.txt"] == "changed in place"
    assert "the submodule 'other' is not initialised" in ran.log("Checkout")


def test_a_path_is_below_the_workspace(jobs: Jobs, repository: Path) -> None:
    ran = check_out(jobs, jobs.script("pwd; echo $BUILD_SOURCESDIRECTORY"), path="s/deep/er")
    assert ran.output("A") == [os.fspath(sources(jobs) / "deep" / "er")] * 2
    ran = check_out(jobs, path="../../elsewhere")
    assert ran.results() == {"Checkout": "Failed"}
    assert "should resolve to a directory under" in ran.issues()[0][1]


def test_several_checkouts_get_a_folder_each(jobs: Jobs, repository: Path) -> None:
    ran = jobs.run(
        jobs.step("Checkout@1", "One", inputs={"repository": "self"}),
        jobs.step("Checkout@1", "Two", inputs={"repository": "self", "path": "s/second"}),
        jobs.script("ls; echo $BUILD_SOURCESDIRECTORY"),
        variables=jobs.variables(**{"Build.Repository.Name": "group/thing"}),
    )
    assert ran.output("A") == ["second", "thing", os.fspath(sources(jobs))]


def test_other_repositories_and_missing_ones_are_clear_errors(jobs: Jobs) -> None:
    ran = check_out(jobs, repository="tools")
    assert ran.issues()[0][1].startswith("the repository 'tools' is not known (list it under")
    ran = jobs.run(jobs.step("Checkout@1"), repository=None)
    assert ran.issues()[0][1].startswith("there is no repository to check out")


def test_none_checks_nothing_out(jobs: Jobs, repository: Path) -> None:
    ran = check_out(jobs, repository="none")
    assert ran.results() == {"Checkout": "Succeeded"}
    assert tree(sources(jobs)) == {}


@pytest.mark.parametrize("variable", [{"agent.source.skip": "true"}, {"build.syncSources": "False"}])
def test_variables_of_the_agent_skip_it(jobs: Jobs, repository: Path, variable: dict[str, str]) -> None:
    ran = jobs.run(jobs.step("Checkout@1", "Checkout"), variables=jobs.variables(**variable))
    assert ran.results() == {"Checkout": "Succeeded"}
    assert tree(sources(jobs)) == {}


def test_options_that_mean_nothing_here_are_named(jobs: Jobs, repository: Path) -> None:
    ran = check_out(jobs, lfs="true", persistCredentials="false", fetchFilter="blob:none", submodules="maybe")
    assert [message.split("'")[1] for _, message in ran.issues()] == ["fetchFilter", "lfs", "submodules: maybe"]


def test_the_folder_of_a_pipeline_within_a_repository(jobs: Jobs, repository: Path) -> None:
    (repository / "sub" / "new").write_text("n")
    ran = jobs.run(jobs.step("Checkout@1"), repository=repository / "sub")
    assert ran.results() == {"A": "Succeeded"}
    assert tree(sources(jobs))["a.txt"] == "a"
    assert tree(sources(jobs))["sub/new"] == "n"


def test_where_sluice_keeps_its_keys_is_never_copied(jobs: Jobs) -> None:
    for name in ("state", "home"):
        (jobs.repository / name).mkdir()
        (jobs.repository / name / "master.json").write_text("key")
    (jobs.repository / "a.txt").write_text("a")
    private = (jobs.repository / "state", jobs.repository / "home")
    jobs.run(jobs.step("Checkout@1"), private=private)
    assert tree(sources(jobs)) == {"a.txt": "a"}
    git(jobs.repository, "init", "-q")
    commit(jobs.repository, {".gitattributes": ""})
    git(jobs.repository, "rm", "-rq", "--cached", "state", "home")
    git(jobs.repository, "commit", "-qm", "x")
    jobs.run(jobs.step("Checkout@1"), private=private, workspace_clean="all")
    assert tree(sources(jobs)) == {"a.txt": "a", ".gitattributes": ""}
