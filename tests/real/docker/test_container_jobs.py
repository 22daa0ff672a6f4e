"""Container jobs, services and step targets, as a person runs them: a real engine, images from a closed registry."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.real.docker.conftest import Engine, FindProgram, Person, Registry

from sluice.runtime.containers.engine import Engine as RuntimeEngine
from sluice.runtime.containers.users import User, archive, entries

pytestmark = pytest.mark.real

BANNER = "This pipeline needs permission to access a resource before this run can continue"

CLOSED = """
    resources:
      containers:
      - container: box
        image: {image}
        endpoint: registry
        env:
          GREETING: hello $(who)
    variables:
      who: world
    jobs:
    - job: A
      container: box
      services:
        web:
          image: team/box:1
          endpoint: registry
          ports: [8080]
          options: --health-cmd "wget -qO- http://127.0.0.1:8080/" --health-interval 1s
      steps:
      - script: |
          echo "$GREETING from $(pwd) and $(Build.SourcesDirectory)"
          wget -qO- http://web:8080/
          echo "##vso[task.setvariable variable=made]in the container"
          echo text >$(Build.ArtifactStagingDirectory)/file.txt
          echo "##vso[task.prependpath]$(Pipeline.Workspace)/tools"
      - script: echo "$MADE, service at $(agent.services.web.ports.8080), $(cat $(Build.ArtifactStagingDirectory)/file.txt)"
        target: host
      - script: echo "path $PATH"
"""


def command_lines() -> bytes:
    """The arguments of every process of this machine, as anybody may read them."""
    found = []
    for name in os.listdir("/proc"):  # noqa: PTH208  # processes come and go while we look
        with contextlib.suppress(OSError):
            if name.isdecimal():
                found.append(Path(f"/proc/{name}/cmdline").read_bytes())
    return b"\n".join(found)


def until_there(path: Path, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 60
    while not path.exists():
        assert process.poll() is None, process.stdout.read() if process.stdout else ""
        assert time.monotonic() < end
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.05)


def test_private_images_of_job_and_service_are_pulled_once_that_is_permitted(
    person: Person, registry: Registry, private_image: str, web_image: str
) -> None:
    person.connect(registry)
    person.write(CLOSED.format(image=private_image).replace("image: team/box:1", f"image: {web_image}"))
    assert BANNER in person.sluice("run", "--non-interactive", status=4)
    assert not person.containers()
    seen = b""
    with person.start("run", "--permit", "registry", "--non-interactive") as process:
        while process.poll() is None:
            seen += command_lines()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
        text = process.stdout.read() if process.stdout is not None else ""
    assert process.returncode == 0, text
    assert "hello world from /__w/1/s and /__w/1/s" in text
    assert "hello-web" in text
    assert "in the container, service at" in text
    assert "path /__w/1/tools:" in text
    assert registry.password.encode() not in seen
    assert registry.password not in text + person.sluice("runs", "logs", "2")
    assert not person.containers()
    history = person.sluice("connection", "history", "registry")
    assert "Initialize containers" in history


def test_a_wrong_password_fails_the_job_before_its_steps(
    person: Person, registry: Registry, private_image: str
) -> None:
    arguments = [
        "--type",
        "dockerregistry",
        "--scheme",
        "UsernamePassword",
        "--set",
        f"registry=https://{registry.host}",
        "--set",
        "username=nobody",
    ]
    person.sluice("connection", "create", "registry", *arguments, "--secret", "password=-", given="wrong-7a21f0")
    person.write(f"""
        container:
          image: {private_image}
          endpoint: registry
        steps:
        - script: echo never
    """)
    text = person.sluice("run", "--permit", "registry", "--non-interactive", status=1)
    assert f"pulling {private_image} failed" in text
    assert "wrong-7a21f0" not in text
    assert "Finished: CmdLine: skipped" in text
    assert not person.containers()


def test_each_leg_has_the_container_that_its_variable_names(person: Person, busybox: str) -> None:
    person.write(f"""
        resources:
          containers:
          - container: local
            image: {busybox}
            localImage: true
            options: --hostname inside
        jobs:
        - job: A
          strategy:
            matrix:
              inside: {{box: local}}
              outside: {{box: ''}}
          container: $[ variables['box'] ]
          steps:
          - script: echo "$(System.JobName) at $(hostname)" && test "$(System.JobName)" != inside || test "$(hostname)" = inside
    """)
    text = person.sluice("run")
    assert "inside at inside" in text
    assert f"outside at {os.uname().nodename}" in text


def test_a_cancellation_reaches_the_process_in_the_container(person: Person, busybox: str, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    person.write(f"""
        resources:
          containers:
          - container: box
            image: {busybox}
            localImage: true
            volumes: ['{marks}:/marks']
        container: box
        steps:
        - script: |
            trap 'echo got it; touch /marks/interrupted; exit 0' INT
            touch /marks/begun
            while :; do sleep 0.1; done
        - script: touch /marks/after
          condition: always()
    """)
    process = person.start("run")
    until_there(marks / "begun", process)
    process.send_signal(signal.SIGINT)
    text, _ = process.communicate(timeout=60)
    assert process.returncode == 3, text
    assert "got it" in text
    assert (marks / "interrupted").exists()
    assert (marks / "after").exists()
    assert not person.containers()


def test_what_a_killed_run_leaves_behind_is_removed_by_the_next_one(
    person: Person, busybox: str, tmp_path: Path
) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    person.write(f"""
        resources:
          containers:
          - container: box
            image: {busybox}
            localImage: true
            volumes: ['{marks}:/marks']
        container: box
        steps:
        - script: touch /marks/begun && sleep 1000
    """)
    process = person.start("run")
    until_there(marks / "begun", process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert person.containers()
    person.write("steps:\n- script: echo next\n", "next.yml")
    person.sluice("run", "next.yml")
    assert not person.containers()
    assert list((person.home / "work" / "_temp").iterdir()) == []


def test_a_job_that_waited_for_a_permit_goes_on_in_fresh_containers(
    person: Person, registry: Registry, busybox: str
) -> None:
    person.connect(registry)
    person.write(f"""
        resources:
          containers:
          - container: box
            image: {busybox}
            localImage: true
        container: box
        steps:
        - script: |
            echo "##vso[task.setvariable variable=name]registry"
            touch /only-here
            touch $(Build.ArtifactStagingDirectory)/kept
        - task: Docker@2
          inputs:
            command: login
            containerRegistry: $(name)
        - script: ls /only-here; ls $(Build.ArtifactStagingDirectory); cat $DOCKER_CONFIG/config.json | grep -c auths
    """)
    person.sluice("run", "--non-interactive", status=4)
    assert not person.containers()
    text = person.sluice("permit", "1", "--connection", "registry") + person.sluice("resume", "1", "--non-interactive")
    assert "ls: /only-here: No such file or directory" in text
    assert "kept" in text
    assert not person.containers()


def test_a_process_that_closes_its_output_is_waited_for(person: Person, busybox: str) -> None:
    person.write(f"""
        resources:
          containers:
          - container: box
            image: {busybox}
            localImage: true
        container: box
        steps:
        - bash: |
            exec >/dev/null 2>&1
            sleep 1.5
            touch done.txt
            exit 5
        - bash: ls done.txt
          condition: failed()
    """)
    text = person.sluice("run", status=1)
    assert "Bash exited with code '5'." in text
    assert "done.txt" in text.splitlines()


def test_a_retry_from_a_step_finds_what_the_steps_before_have_made(person: Person, busybox: str) -> None:
    person.write(f"""
        resources:
          containers:
          - container: box
            image: {busybox}
            localImage: true
        container: box
        steps:
        - script: echo made >made.txt
          name: one
        - script: cat made.txt && test $(System.JobAttempt) = 2
          name: two
    """)
    person.sluice("run", status=1)
    text = person.sluice("retry", "1", "--from", "Job.two")
    assert "made" in text.splitlines()
    assert not person.containers()


def test_a_file_of_the_container_alone_is_not_taken_from_the_host(person: Person, busybox: str) -> None:
    person.write(f"""
        resources:
          containers:
          - container: box
            image: {busybox}
            localImage: true
        steps:
        - script: echo "##vso[task.uploadfile]/etc/passwd"
          target: box
    """)
    assert "'/etc/passwd' lies in the container alone" in person.sluice("run", status=1)


def test_a_restricted_target_sets_only_what_it_may(person: Person, busybox: str) -> None:
    person.write(f"""
        resources:
          containers:
          - container: box
            image: {busybox}
            localImage: true
        steps:
        - script: |
            echo "##vso[task.setvariable variable=yes]1"
            echo "##vso[task.setvariable variable=no]1"
            echo "##vso[task.uploadfile]/x"
          target:
            container: box
            commands: restricted
            settableVariables: [yes]
        - script: echo "[$(yes)][$NO]"
    """)
    text = person.sluice("run")
    assert "[1][]" in text
    assert "##vso[task.uploadfile] is not allowed in this step" in text


def test_an_image_that_cannot_wait_for_steps_says_so(person: Person, engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    engine.docker("build", "-q", "-t", "sluice-test/empty:1", str(tmp_path / "empty"))
    person.write("""
        resources:
          containers:
          - container: box
            image: sluice-test/empty:1
            localImage: true
        container: box
        steps:
        - script: echo never
    """)
    text = person.sluice("run", status=1)
    assert "starting the container box_empty1" in text
    assert '"sh": executable file not found' in text
    assert not person.containers()


def test_an_engine_that_is_not_there_is_told(person: Person) -> None:
    person.environment["DOCKER_HOST"] = "unix:///nowhere/docker.sock"
    person.write("container: alpine\nsteps:\n- script: echo\n")
    text = person.sluice("run", status=1)
    assert "there is no Docker engine at unix:///nowhere/docker.sock" in text


def test_a_service_that_is_not_healthy_fails_the_job_with_its_log(person: Person, busybox: str) -> None:
    person.write(f"""
        resources:
          containers:
          - container: broken
            image: {busybox}
            localImage: true
            options: --tty --health-cmd false --health-interval 0.2s --health-retries 1
        services:
          db: broken
        steps:
        - script: echo never
    """)
    text = person.sluice("run", status=1)
    assert "Failed to initialize, db service is unhealthy." in text
    assert "Log of the service db:" in text


def test_steps_run_as_the_user_of_the_host(
    person: Person, engine: Engine, busybox: str, require_program: FindProgram
) -> None:
    setpriv = require_program("setpriv", "apt-get install util-linux")
    person.write(f"""
        resources: {{containers: [{{container: box, image: '{busybox}', localImage: true}}]}}
        container: box
        steps:
        - checkout: none
        - bash: |
            echo "$(id -u) $(whoami) $HOME"
            touch $HOME/mine $(Build.ArtifactStagingDirectory)/mine
            stat -c 'owned by %u' $(Build.ArtifactStagingDirectory)/mine
    """)
    # another user, who may still read the interpreter and its libraries, wherever those lie
    capabilities = "+dac_override,+dac_read_search"
    become = [str(setpriv), "--reuid", "4321", "--regid", "4321", "--clear-groups"]
    become += ["--inh-caps", capabilities, "--ambient-caps", capabilities]
    Path(engine.socket.removeprefix("unix://")).chmod(0o666)
    for folder in (person.folder.parent, person.folder):
        os.chown(folder, 4321, 4321)
    done = subprocess.run(
        [*become, sys.executable, "-m", "sluice", "run"],
        cwd=person.folder,
        env=person.environment | {"USER": "somebody", "LOGNAME": "somebody"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4321 somebody_azpcontainer /home/somebody_azpcontainer" in done.stdout
    assert "owned by 4321" in done.stdout.splitlines()


def test_the_user_of_the_host_is_known_in_the_container(engine: Engine, busybox: str) -> None:
    container = engine.docker("run", "-d", "--network", "none", busybox, "sleep", "600")
    runtime = RuntimeEngine.connect(engine.environment)
    try:
        user = User(uid=4242, gid=4243, name="somebody")
        passwd, group = (runtime.read_file(container, path) for path in ("/etc/passwd", "/etc/group"))
        assert group is None
        added = entries(user, passwd or "", "")
        assert added is not None
        runtime.unpack(container, archive(user, *added, sudo=False))
        status, text = runtime.ask(container, ["sh", "-c", "id -un; cd && pwd && touch file && id -gn"], "4242:4243")
        name = "somebody_azpcontainer"
        assert (status, text.split()) == (0, [name, f"/home/{name}", name])
        assert entries(user, runtime.read_file(container, "/etc/passwd") or "", "") is None
    finally:
        runtime.close()
        engine.docker("rm", "-f", container)
