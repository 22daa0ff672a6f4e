"""How git is run: credentials in its environment for one origin, and nothing of anybody else's settings."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from sluice.hooks.repository import Login
from sluice.runtime.cancellation import Cancellation
from sluice.runtime.git import Git, GitFailedError, explain, remote_environment, write_settings
from sluice.runtime.remote import Remote
from sluice.secret import Secret

PASSWORD = "pw-0123456789"
LOGIN = Login(username="ada", password=Secret(PASSWORD))
REMOTE = Remote(url="https://host.example:8443/team/repo.git", login=LOGIN)
URL = "https://host.example:8443/other.git"


def settings(url: str, remote: Remote, folder: Path) -> list[str]:
    """The headers that git would send to a URL."""
    environ = remote_environment({"PATH": os.environ["PATH"], "HOME": os.fspath(folder)}, remote)
    arguments = ["git", "config", "--includes", "--get-urlmatch", "http.extraHeader", url]
    done = subprocess.run(arguments, env=environ, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout.splitlines()


def test_the_header_is_for_the_origin_alone(tmp_path: Path) -> None:
    assert settings(URL, REMOTE, tmp_path) == [f"Authorization: {REMOTE.login.authorization.reveal()}"]  # type: ignore[union-attr]
    for elsewhere in ("https://host.example/", "http://host.example:8443/", "https://host.example.evil:8443/"):
        assert settings(elsewhere, REMOTE, tmp_path) == []


def test_a_header_of_the_persons_own_is_not_sent_along(tmp_path: Path) -> None:
    (tmp_path / ".gitconfig").write_text('[http "https://host.example:8443/"]\nextraHeader = "X-Mine: 1"\n')
    assert all("X-Mine" not in line for line in settings(URL, REMOTE, tmp_path)[-1:])


def test_what_could_lead_credentials_elsewhere_is_off() -> None:
    given = {
        "PATH": "/bin",
        "GIT_TRACE_CURL": "/tmp/x",
        "GIT_ASKPASS": "/tmp/ask",
        "SSH_ASKPASS": "/tmp/ask",
        "GIT_SSL_NO_VERIFY": "1",
        "GIT_SSL_CAINFO": "/etc/ca.pem",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "http.proxy",
        "GIT_CONFIG_VALUE_0": "http://evil",
    }
    environ = remote_environment(given, REMOTE)
    assert not {"GIT_TRACE_CURL", "GIT_ASKPASS", "SSH_ASKPASS", "GIT_SSL_NO_VERIFY"} & environ.keys()
    assert environ["GIT_SSL_CAINFO"] == "/etc/ca.pem"
    assert environ["GIT_ALLOW_PROTOCOL"] == "http:https"
    count = int(environ["GIT_CONFIG_COUNT"])
    found = {environ[f"GIT_CONFIG_KEY_{index}"]: environ[f"GIT_CONFIG_VALUE_{index}"] for index in range(count)}
    assert found["http.followRedirects"] == "false"
    assert found["credential.helper"] == ""
    assert "http.proxy" not in found
    assert not any(key.endswith("sslVerify") for key in found)


def test_certificates_go_unchecked_only_when_the_log_in_says_so() -> None:
    trusting = Remote(url=REMOTE.url, login=Login(username="a", trust_any_certificate=True))
    assert "http.https://host.example:8443/.sslVerify" in remote_environment({}, trusting).values()


def test_settings_in_a_file_are_private_and_good_for_git(tmp_path: Path) -> None:
    file = write_settings(tmp_path, REMOTE)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    arguments = ["git", "config", "--file", os.fspath(file), "--get-urlmatch", "http.extraHeader", URL]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"Authorization: {REMOTE.login.authorization.reveal()}"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        ("fatal: Authentication failed for 'https://x/'", "https://host.example:8443 does not accept the credentials"),
        ("The requested URL returned error: 403", "https://host.example:8443 knows who asks, but forbids"),
        ("fatal: repository 'https://x/' not found", "there is no repository at https://host.example:8443/team"),
        ("fatal: unable to access: The requested URL returned error: 301", "sends to another place"),
        ("SSL certificate problem: self-signed certificate", "no trusted TLS connection"),
        ("Could not resolve host: host.example", "the host name of https://host.example:8443 was not resolved"),
        ("fatal: transport 'ext' not allowed", "leads to an address that is not followed"),
        ("fatal: bad object HEAD", ""),
    ],
)
def test_words_of_git_are_understood(said: str, meaning: str) -> None:
    found = explain(said, REMOTE)
    assert meaning in found
    assert bool(meaning) == bool(found)


def test_what_git_says_is_the_reason_of_the_error(tmp_path: Path) -> None:
    git = Git(environ=dict(os.environ), cancellation=Cancellation(), cwd=tmp_path)
    with pytest.raises(GitFailedError, match="git cat-file failed with exit code 128"):
        git("cat-file", "-p", "nothing")
    assert git("cat-file", "-p", "nothing", may_fail=True) == ""
