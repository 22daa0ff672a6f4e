"""A job in a container that is held: the shell is in the container."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.agent.cli.conftest import Sluice

if TYPE_CHECKING:
    from tests.real.docker.conftest import Person

pytestmark = pytest.mark.real

MENU = "[s]hell, [r]etry, [e]dit and retry, s[k]ip, [a]bort, [c]ontinue: "


def test_the_shell_of_a_step_in_a_container_is_there(person: Person, busybox: str) -> None:
    person.write(
        f"""
        resources:
          containers:
          - container: box
            image: {busybox}
            localImage: true
        jobs:
        - job: A
          container: box
          steps:
          - checkout: none
          - script: test -f mended && echo "mended with $TOKEN"
            name: Test
            env: {{TOKEN: $(token)}}
        """
    )
    (person.folder / "token").write_text("s3cret-of-the-shell")
    sluice = Sluice(person.folder)
    sluice.environment = person.environment
    look = "tr '\\0' ' ' < /proc/1/cmdline; pwd; echo $TOKEN | tr a-z A-Z; touch mended; exit\n"
    answers = [(MENU, "s"), ("(Test) ", look), (MENU, "r")]
    status, shown = sluice.on_a_terminal(["run", "--break-on-failure", "--secret", "token=@token"], answers)
    assert status == 0, shown
    assert "/__w/1/s" in shown
    assert "S3CRET-OF-THE-SHELL" in shown
    assert "mended with ***" in shown
    assert person.containers() == ""
