"""Where a pipeline lies: looked at without running what its repository names."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from sluice.errors import SluiceError
from sluice.runs.source import changes, describe, read_pipeline

_SIGNED = """tree {tree}
author Eve \N{LATIN SMALL LETTER E WITH ACUTE} <e@x.invalid> 1700000000 +0000
committer Eve <e@x.invalid> 1700000000 +0000
gpgsig -----BEGIN PGP SIGNATURE-----
 AAAA
 -----END PGP SIGNATURE-----

first line
second line

body
"""


def _git(folder: Path, *arguments: str, given: bytes = b"") -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], input=given, capture_output=True, check=True)
    return done.stdout.decode().strip()


def _hostile(folder: Path) -> str:
    """A repository whose settings name programs, with a signed commit; answers the commit."""
    folder.mkdir()
    _git(folder, "init", "-q", "-b", "main")
    (folder / "azure-pipelines.yml").write_text("steps: []\n")
    _git(folder, "add", ".")
    text = _SIGNED.format(tree=_git(folder, "write-tree")).encode()
    commit = _git(folder, "hash-object", "-t", "commit", "-w", "--stdin", given=text)
    _git(folder, "update-ref", "refs/heads/main", commit)
    program = folder / "program"
    program.write_text(f"#!/bin/sh\ntouch {folder}/pwned\nexit 1\n")
    program.chmod(0o755)
    for name in (
        "gpg.program",
        "gpg.x509.program",
        "core.fsmonitor",
        "core.sshCommand",
        "core.pager",
        "alias.cat-file",
    ):
        _git(folder, "config", name, str(program))
    _git(folder, "config", "core.hooksPath", str(folder))
    _git(folder, "config", "log.showSignature", "true")
    return commit


def test_no_program_that_a_repository_names_is_run_to_look_at_its_pipeline(tmp_path: Path) -> None:
    folder = tmp_path / "hostile"
    commit = _hostile(folder)
    subprocess.run(["git", "-C", str(folder), "log", "-1"], capture_output=True, check=False)
    assert (folder / "pwned").exists(), "the attack works where git log is used"
    (folder / "pwned").unlink()
    source, _ = describe(folder)
    assert not (folder / "pwned").exists()
    assert (source.version, source.branch) == (commit, "refs/heads/main")
    assert source.author == "Eve \N{LATIN SMALL LETTER E WITH ACUTE}"
    assert source.message == "first line second line"


def test_a_commit_that_is_missing_is_fetched_from_nowhere(tmp_path: Path) -> None:
    folder = tmp_path / "partial"
    commit = _hostile(folder)
    _git(folder, "config", "extensions.partialClone", "origin")
    _git(folder, "config", "core.repositoryFormatVersion", "1")
    _git(folder, "config", "remote.origin.url", f"ext::{folder}/program")
    _git(folder, "config", "remote.origin.promisor", "true")
    _git(folder, "config", "protocol.ext.allow", "always")
    (folder / ".git" / "objects" / commit[:2] / commit[2:]).unlink()
    source, _ = describe(folder)
    assert not (folder / "pwned").exists()
    assert source.version == ""


def test_a_repository_without_a_commit_has_no_version(tmp_path: Path) -> None:
    _git(tmp_path, "init", "-q", "-b", "main")
    source, _ = describe(tmp_path)
    assert (source.version, source.author, source.message, source.branch) == ("", "", "", "refs/heads/main")


@pytest.mark.parametrize("target", ["/dev/zero", "/dev/stdin", "pipe"])
def test_what_is_no_file_is_no_pipeline_and_is_not_waited_for(tmp_path: Path, target: str) -> None:
    file = tmp_path / "p.yml"
    if target == "pipe":
        os.mkfifo(file)
    else:
        file.symlink_to(target)
    with pytest.raises(SluiceError):
        read_pipeline(file)


def test_what_changed_since_a_commit_is_told_without_running_what_the_repository_names(tmp_path: Path) -> None:
    folder = tmp_path / "hostile"
    commit = _hostile(folder)
    _git(folder, "config", "filter.evil.clean", str(folder / "program"))
    _git(folder, "config", "diff.evil.textconv", str(folder / "program"))
    (folder / ".gitattributes").write_text("*.yml filter=evil diff=evil\n")
    assert changes(folder, commit, ["azure-pipelines.yml"]) == []
    (folder / "azure-pipelines.yml").write_text("steps:\n- bash: echo\n")
    found = changes(folder, commit, ["azure-pipelines.yml", "gone.yml"])
    assert [line for line in found if line[:1] in "+-"][2:] == ["-steps: []", "+steps:", "+- bash: echo"]
    assert changes(folder, "HEAD", ["azure-pipelines.yml"]) == []
    assert not (folder / "pwned").exists()
