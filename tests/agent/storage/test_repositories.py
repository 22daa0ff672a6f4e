"""Repositories of a project: one resource for a repository, however it is spelled."""

from __future__ import annotations

import pytest

from sluice.errors import UsageError
from sluice.storage.projects import Project
from sluice.storage.repositories import get, name_of, resource_of

HOME = Project(3, "0" * 8 + "-0000-4000-8000-" + "0" * 12, "Team")


@pytest.mark.parametrize("name", ["tools", " TOOLS ", "team/Tools", "/tools/"])
def test_spellings_of_one_repository_are_one_resource(name: str) -> None:
    assert resource_of(HOME, name) == resource_of(HOME, "tools")
    assert name_of(resource_of(HOME, name)) == "tools"


@pytest.mark.parametrize("name", ["other/tools", "tool", "tools.git", "team"])
def test_other_names_are_other_resources(name: str) -> None:
    assert resource_of(HOME, name) != resource_of(HOME, "tools")


def test_repositories_of_other_projects_are_others() -> None:
    other = Project(4, "1" * 8 + HOME.guid[8:], "Team")
    assert resource_of(other, "tools").id != resource_of(HOME, "tools").id


def test_an_id_means_what_its_name_means() -> None:
    resource = resource_of(HOME, "a/b.c")
    assert get(HOME, resource.id) == resource


@pytest.mark.parametrize("name", ["", " / ", "x" * 401, "a\u202eb"])
def test_what_can_be_no_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="is no name of a repository"):
        get(HOME, name)
