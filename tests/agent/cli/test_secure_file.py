"""`sluice secure-file` as a person types it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.agent.cli.conftest import Sluice

CONTENT = "canary-of-a-certificate"


def upload(sluice: Sluice, name: str = "cert.pfx", *more: str) -> str:
    (sluice.folder / name).write_text(CONTENT)
    return sluice("secure-file", "upload", name, *more)


def test_a_new_home_has_no_files(sluice: Sluice) -> None:
    assert "sluice secure-file upload" in sluice("secure-file", "list")
    assert sluice.json("secure-file", "list") == []


def test_a_file_is_shown_without_its_content(sluice: Sluice) -> None:
    assert "uploaded the secure file 'cert.pfx' (23 bytes)" in upload(sluice)
    shown = sluice.json("secure-file", "show", "CERT.pfx")
    assert (shown["name"], shown["size"], shown["pipelines"]) == ("cert.pfx", 23, [])
    for arguments in (("show", "cert.pfx"), ("list",), ("history", "cert.pfx")):
        assert CONTENT not in sluice("secure-file", *arguments)
    assert "no pipeline yet" in sluice("secure-file", "show", "cert.pfx")


def test_it_may_get_another_name_and_be_open_to_all(sluice: Sluice) -> None:
    upload(sluice, "a", "--name", "b.p12", "--allow-all-pipelines")
    assert sluice.json("secure-file", "show", "b.p12")["pipelines"] == ["all pipelines"]
    sluice("secure-file", "revoke", "b.p12", "--all-pipelines")
    assert sluice.json("secure-file", "show", "b.p12")["pipelines"] == []


def test_mistakes_are_one_line_with_what_to_do(sluice: Sluice) -> None:
    upload(sluice)
    (sluice.folder / "big").write_bytes(b"0" * (10 * 1024 * 1024 + 1))
    for arguments, text in (
        (("upload", "cert.pfx"), "exists already"),
        (("upload", "none"), "cannot be read: No such file"),
        (("upload", "."), "cannot be read: Is a directory"),
        (("upload", "big"), "too big: 10485760 bytes (10 MB)"),
        (("upload", "-"), "give --name"),
        (("upload", "cert.pfx", "--name", "../x"), "is a path"),
        (("show", "cert"), "did you mean 'cert.pfx'"),
        (("delete", "cert.pfx"), "add --yes; no pipeline is permitted"),
        (("permit", "cert.pfx"), "--pipeline"),
    ):
        error = sluice("secure-file", *arguments, status=2)
        assert text in error
        assert len(error.splitlines()) == 1


def test_untrusted_runs_are_kept_out_unless_somebody_lets_them_in(sluice: Sluice) -> None:
    upload(sluice)
    assert sluice.json("secure-file", "show", "cert.pfx")["allowUntrusted"] == "none"
    for end in ("pull-requests", "pull-requests (as before)"):
        said = sluice("secure-file", "update", "cert.pfx", "--allow-untrusted", "pull-requests")
        assert said.strip().endswith(end)
    assert sluice.json("secure-file", "show", "cert.pfx")["allowUntrusted"] == "pull-requests"
    assert "is whole" in sluice("audit", "verify")


def test_a_deleted_file_is_gone(sluice: Sluice) -> None:
    upload(sluice)
    assert "deleted" in sluice("secure-file", "delete", "cert.pfx", "--yes")
    assert sluice.json("secure-file", "list") == []
