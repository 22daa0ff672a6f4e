"""`TwineAuthenticate@1` and `PipAuthenticate@1` with real twine and pip, against a pypiserver that wants a log-in."""

from __future__ import annotations

import base64
import hashlib
import sys
import zipfile
from pathlib import Path

import pytest
from tests.conftest import Giver
from tests.real.packages.conftest import Person, Server, verify, wrong

from sluice.plugin import VerificationError

pytestmark = pytest.mark.real

PIPELINE = f"""
    steps:
    - task: TwineAuthenticate@1
      inputs:
        pythonUploadServiceConnection: upload
    - script: |
        set -e
        {sys.executable} -m twine upload --non-interactive --disable-progress-bar -r ours --config-file "$(PYPIRC_PATH)" *.whl
        cat "$PYPIRC_PATH"
    - task: PipAuthenticate@1
      inputs:
        pythonDownloadServiceConnections: download
    - script: |
        set -e
        unset PIP_FIND_LINKS
        {sys.executable} -m pip download -v --no-deps --no-cache-dir -d got sluice-canary
        ls got; echo "index $PIP_INDEX_URL"
"""


def wheel(folder: Path) -> str:
    """A package of nothing."""
    name = "sluice_canary-1.2.3"
    files = {
        "sluice_canary.py": b"answer = 42\n",
        f"{name}.dist-info/METADATA": b"Metadata-Version: 2.1\nName: sluice-canary\nVersion: 1.2.3\n",
        f"{name}.dist-info/WHEEL": b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip('=')},{len(content)}"
        for path, content in files.items()
    ]
    files[f"{name}.dist-info/RECORD"] = "\n".join([*record, f"{name}.dist-info/RECORD,,", ""]).encode()
    with zipfile.ZipFile(folder / f"{name}-py3-none-any.whl", "w") as target:
        for path, content in files.items():
            target.writestr(path, content)
    return f"{name}-py3-none-any.whl"


def test_a_package_is_uploaded_and_downloaded(person: Person, pypiserver: Server, evidence: Giver) -> None:
    said = person.connect("upload", "externalPythonUploadFeed", pypiserver.url, data="EndpointName=ours")
    assert "is a Python repository and accepts the user builder" in said
    said = person.connect("download", "externalPythonDownloadFeed", f"{pypiserver.url}simple/")
    assert "is a Python index and accepts the user builder" in said
    person.write({"azure-pipelines.yml": PIPELINE})
    made = wheel(person.pipeline)
    said = person.sluice("run")
    assert f"\n{made}\n" in said
    assert "password=***" in said
    assert "index http://builder:***@127.0.0.1:" in said
    assert (pypiserver.folder / "packages" / made).exists()
    person.check()
    evidence("externalPythonUploadFeed", "UsernamePassword", "verified right", "pypiserver")
    evidence("externalPythonDownloadFeed", "UsernamePassword", "verified right", "pypiserver")
    evidence("externalPythonUploadFeed", "UsernamePassword", "used", "pypiserver", task="TwineAuthenticate@1")
    evidence("externalPythonDownloadFeed", "UsernamePassword", "used", "pypiserver", task="PipAuthenticate@1")


@pytest.mark.parametrize("scheme", ["password", "token"])
@pytest.mark.parametrize(
    ("kind", "path"), [("externalPythonUploadFeed", ""), ("externalPythonDownloadFeed", "simple/")]
)
def test_wrong_credentials_are_told_from_a_wrong_address(
    pypiserver: Server, kind: str, path: str, scheme: str, evidence: Giver
) -> None:
    for url, expected in (
        (f"{pypiserver.url}{path}", "the server refuses the credentials: they are wrong"),
        (f"{pypiserver.url}not/there/", "there is no Python"),
    ):
        with pytest.raises(VerificationError, match=expected) as caught:
            verify(wrong(kind, url, scheme))
        assert "wrong-pass" not in str(caught.value)
    name = "Token" if scheme == "token" else "UsernamePassword"
    evidence(kind, name, "verified wrong", "pypiserver")
