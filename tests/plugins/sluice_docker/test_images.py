from __future__ import annotations

import pytest

from sluice_docker._images import base_image, labels, qualified, tagged


@pytest.mark.parametrize(
    ("registry", "repository", "name"),
    [
        ("https://index.docker.io/v1/", "Team/App", "team/app"),
        ("https://registry.example:5000", "app", "registry.example:5000/app"),
        ("Acr.AzureCR.io", "my app", "acr.azurecr.io/myapp"),
        ("https://r.example/", "r.example/app", "r.example/app"),
    ],
)
def test_images_have_the_registry_in_their_names(registry: str, repository: str, name: str) -> None:
    assert qualified(registry, repository) == name


def test_every_name_gets_every_tag() -> None:
    assert tagged(["a", "r:5000/a"], "1, latest\n\n") == ["a:1", "a:latest", "r:5000/a:1", "r:5000/a:latest"]
    assert tagged(["a"], " \n") == ["a"]


def test_labels_are_those_of_the_task() -> None:
    values = {"Build.SourceVersion": "abc", "Build.BuildNumber": "7", "System.TeamProject": "p"}
    assert labels(lambda name: values.get(name, ""), pipeline_data=False) == [
        "com.azure.dev.image.build.sourceversion=abc"
    ]
    values["System.TeamFoundationCollectionUri"] = "https://sluice.invalid/local/"
    assert labels(lambda name: values.get(name, ""), pipeline_data=False) == [
        "com.azure.dev.image.build.sourceversion=abc"
    ]
    values["System.TeamFoundationCollectionUri"] = "https://ci.example.org/local/"
    assert labels(lambda name: values.get(name, ""), pipeline_data=True) == [
        "org.example.ci.image.system.teamfoundationcollectionuri=https://ci.example.org/local/",
        "org.example.ci.image.build.sourceversion=abc",
        "org.example.ci.image.system.teamproject=p",
        "org.example.ci.image.build.buildnumber=7",
    ]


@pytest.mark.parametrize(
    ("dockerfile", "base"),
    [
        ("FROM a:1 AS build\nRUN x\nfrom build as more\nFROM more\n", "a:1"),
        ("ARG V=1\nFROM --platform=linux/amd64 b@sha256:00\n", "b@sha256:00"),
        ("FROM a:$V\n", ""),
        ("# FROM nothing\nRUN x\n", ""),
        ("FROM a\nFROM scratch\n", "scratch"),
    ],
)
def test_the_last_stage_says_what_an_image_is_built_upon(dockerfile: str, base: str) -> None:
    assert base_image(dockerfile) == base
