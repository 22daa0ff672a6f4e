"""Task packages in the container of a job: the image's own Node, the agent's contract, paths as the container has them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.real.docker.conftest import FindProgram, Person

pytestmark = pytest.mark.real

HANDLER = """
const fs = require('fs');
const path = require('path');
console.log(`in ${process.cwd()} with ${process.env.INPUT_FILE} from ${__dirname}`);
console.log(`read ${fs.readFileSync(process.env.INPUT_FILE, 'utf8').trim()}`);
fs.writeFileSync(path.join(process.env.BUILD_ARTIFACTSTAGINGDIRECTORY, 'made.txt'), process.env.HOSTNAME);
console.log('##vso[task.setvariable variable=seen]' + process.env.HOSTNAME);
console.log(`host variable ${process.env.ONLY_ON_THE_HOST}`);
"""

PIPELINE = """
    resources:
      containers:
      - container: box
        image: {image}
        localImage: true
        options: --hostname inside
        volumes: ['/usr:/usr:ro', '/lib:/lib:ro', '/lib64:/lib64:ro']
      - container: other
        image: {image}
        localImage: true
        options: --hostname elsewhere
        volumes: ['/usr/lib:/usr/lib:ro', '/usr/share:/usr/share:ro', '/lib:/lib:ro', '/lib64:/lib64:ro']
      - container: bare
        image: {image}
        localImage: true
    steps:
    - bash: mkdir -p sub && echo text >sub/file.txt
    - task: Probe@1
      target: box
      inputs:
        file: sub/file.txt
    - bash: echo "seen $(seen), made $(cat $(Build.ArtifactStagingDirectory)/made.txt)"
    - task: Probe@1
      target: other
      inputs:
        file: $(Build.SourcesDirectory)/sub/file.txt
    - bash: echo "then $(seen)"
    - task: Probe@1
      target: bare
      inputs:
        file: sub/file.txt
"""


def test_a_package_runs_with_the_node_of_the_image(
    person: Person, busybox: str, require_program: FindProgram, tmp_path: Path
) -> None:
    node = require_program("node", "apt-get install nodejs")
    package = tmp_path / "Probe"
    package.mkdir()
    manifest = {
        "id": "0c5c9f4e-6f1d-4b53-9df3-1c1f6a0c7a11",
        "name": "Probe",
        "friendlyName": "Probe",
        "description": "Says where it is",
        "author": "Tests",
        "version": {"Major": 1, "Minor": 0, "Patch": 0},
        "inputs": [{"name": "file", "type": "filePath", "label": "File", "required": True}],
        "execution": {"Node20_1": {"target": "index.js"}},
    }
    (package / "task.json").write_text(json.dumps(manifest))
    (package / "index.js").write_text(HANDLER)
    person.sluice("task", "install", str(package))
    person.environment["ONLY_ON_THE_HOST"] = "secret of the host"
    person.write(PIPELINE.format(image=busybox))
    person.environment["SLUICE_NODE"] = str(node)
    text = person.sluice("run", status=1)
    assert "then elsewhere" in text
    del person.environment["SLUICE_NODE"]
    text = person.sluice("run", status=1)
    assert "in /__w/1/s with /__w/1/s/sub/file.txt from /__w/_tasks/0" in text
    assert "read text" in text
    assert "host variable undefined" in text
    assert "seen inside, made inside" in text
    assert "Unable to locate executable file: 'node': the image of the container does not have it" in text
