from __future__ import annotations

import io
import tarfile

from sluice.runtime.containers.users import SUDOERS, User, archive, entries

USER = User(uid=1000, gid=1001, name="a-user-with-a-very-long-name-indeed")
PASSWD = "root:x:0:0:root:/root:/bin/sh\nnode:x:1002:1002::/home/node:/bin/sh"


def test_a_user_that_the_image_does_not_know_is_added() -> None:
    added = entries(USER, PASSWD, "root:x:0:\nusers:x:3456:\n")
    assert added is not None
    passwd, group = added
    name = "a-user-with-a-very-_azpcontainer"
    assert len(name) == 32
    assert passwd == f"{PASSWD}\n{name}:x:1000:1001:{name}:/home/{name}:/bin/sh\n"
    assert group == f"root:x:0:\nusers:x:3456:\n{name}:x:1001:\nazure_pipelines_sudo:x:3457:{name}\n"
    assert entries(USER, passwd, group) is None


def test_a_group_that_is_known_is_kept() -> None:
    added = entries(USER, PASSWD, "staff:x:1001:\n")
    assert added is not None
    assert added[1].splitlines()[0] == "staff:x:1001:"
    assert len(added[1].splitlines()) == 2


def test_a_user_with_the_number_is_taken_as_it_is() -> None:
    assert entries(User(uid=0, gid=0, name="root"), PASSWD, "") is None


def test_the_home_folder_belongs_to_the_user_and_sudo_asks_for_no_password() -> None:
    with tarfile.open(fileobj=io.BytesIO(archive(USER, "p", "g", sudo=True))) as tar:
        found = {entry.name: entry for entry in tar}
        rule = tar.extractfile("etc/sudoers.d/azure_pipelines_sudo")
        assert rule is not None
        assert rule.read().decode() == SUDOERS
    home = found["home/a-user-with-a-very-_azpcontainer"]
    assert (home.isdir(), home.uid, home.gid) == (True, 1000, 1001)
    assert found["etc/sudoers.d/azure_pipelines_sudo"].mode == 0o440
