"""The Node client of Azure DevOps (npm `azure-devops-node-api`), unmodified."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from tests.clients.conftest import Server
from tests.clients.programs import node_modules, program

SCRIPT = Path(__file__).with_name("node_client.js")


def test_a_program_with_the_node_client_works(server: Server, tmp_path: Path) -> None:
    node = program("node", "apt-get install nodejs")
    file = tmp_path / "from-node.yml"
    file.write_text('steps:\n- script: echo "hello from node"\n')
    done = subprocess.run(
        [node, str(SCRIPT), server.collection, server.token, str(file)],
        env={**os.environ, "NODE_PATH": str(node_modules())},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert "default" in found["projects"]
    assert found["made"] == {"username": "ada", "password": None}
    assert found["named"] == [True]
    assert found["types"] > 10
    assert found["description"] == "changed by node"
    assert found["history"] == []
    assert "Administrator" in found["roles"]
    assert found["result"] == 2  # the client makes numbers of what is said in words: succeeded
    assert {"Stage", "Job", "Task"} <= set(found["timeline"])
    assert found["said"]
    assert (found["group"], found["environment"]) == ("north", "from-node")
    assert found["gone"] is None
    assert found["missing"] is None
