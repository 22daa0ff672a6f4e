from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sluice.plugin import TaskFailedError, TaskRun
from sluice.runtime.globbing import find_files
from sluice_kubernetes._manifests import (
    add_pull_secrets,
    image_name,
    manifest_files,
    objects_of,
    read_objects,
    substitute_images,
)
from sluice_kubernetes._yaml import dump_all, load_all

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"


def objects(text: str) -> list[dict[str, Any]]:
    return objects_of(text, "m.yml", "task")


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("web", "web"),
        ("web:1", "web"),
        ("team/web:1", "team/web"),
        ("registry:5000/team/web:1", "registry:5000/team/web"),
        ("registry.example.org/web@sha256:0123", "registry.example.org/web"),
        ("web@sha256:0123", "web"),
        (" team/web ", "team/web"),
    ],
)
def test_the_name_of_an_image_has_no_tag_and_no_digest(image: str, name: str) -> None:
    assert image_name(image) == name


def test_images_are_put_into_every_container_of_a_workload() -> None:
    spec = {"containers": [{"image": "web:1"}, {"image": "side:1"}], "initContainers": [{"image": "web"}]}
    job = {"kind": "CronJob", "spec": {"jobTemplate": {"spec": {"template": {"spec": spec}}}}}
    other = {"kind": "Widget", "spec": {"containers": [{"image": "web:1"}]}}
    substitute_images([job, other], ["web:2"])
    assert [one["image"] for one in (*spec["containers"], *spec["initContainers"])] == ["web:2", "side:1", "web:2"]
    assert other["spec"] == {"containers": [{"image": "web:1"}]}


def test_pull_secrets_are_added_once() -> None:
    pod: dict[str, Any] = {"kind": "Pod", "spec": {"imagePullSecrets": [{"name": "a"}]}}
    add_pull_secrets([pod], ["a", "b"])
    assert pod["spec"]["imagePullSecrets"] == [{"name": "a"}, {"name": "b"}]


def test_lists_and_several_documents_are_read_one_by_one() -> None:
    text = f"{POD}---\n---\napiVersion: v1\nkind: PodList\nitems:\n- {{apiVersion: v1, kind: Pod, metadata: {{name: b}}}}\n"
    assert [one["metadata"]["name"] for one in objects(text)] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [", "m.yml is no YAML in line"),
        ("just text", "no Kubernetes object"),
        ("kind: Pod\nmetadata: {name: a}", "has no 'apiVersion'"),
        ("apiVersion: v1\nmetadata: {name: a}", "has no 'kind'"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {generateName: a}", "the Pod in m.yml has no 'metadata.name'"),
        ("!!python/object/apply:os.system ['true']", "m.yml is no YAML"),
        ("[" * 100_000, "m.yml is no YAML"),
    ],
)
def test_what_is_no_manifest_is_told(text: str, told: str) -> None:
    with pytest.raises(TaskFailedError, match=re.escape(told)):
        objects(text)


def test_aliases_are_written_out_up_to_a_bound() -> None:
    assert objects(f"{POD}spec: {{a: &a [1], b: *a}}\n")[0]["spec"] == {"a": [1], "b": [1]}
    levels = "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9))
    with pytest.raises(TaskFailedError, match="holds more than"):
        objects(f"{POD}a0: &a0 [1]\n{levels}")


def test_texts_that_look_like_times_stay_texts() -> None:
    text = "a: 2026-11-25\nb: 22:30\nc: 1.2.3\nd: 0644\ne: 1e3\nf: yes\ng: 5Gi\nh: -3\ni: .5\nj: 0x1F\nk: ~\nl: 08\n"
    [found] = load_all(text)
    assert list(found.values()) == ["2026-11-25", "22:30", "1.2.3", 0o644, 1000.0, True, "5Gi", -3, 0.5, 31, None, "08"]
    assert load_all(dump_all([found])) == [found]


TEXTS = st.text(max_size=20) | st.sampled_from(
    ["0815", "1e3", "yes", "y", "~", "22:30", "a: b", "a #b", "-", "!x", "=", " a"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9999, 9999) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=10,
)


@given(VALUES)
def test_what_is_written_reads_the_same(value: Any) -> None:
    try:
        text = dump_all([value])
        found = load_all(text)
    except yaml.YAMLError:  # characters that YAML does not have
        return
    assert found == [value]


class Run:
    """The part of a step's run that finds files."""

    task = "KubernetesManifest@1"

    def __init__(self, sources: Path) -> None:
        self.sources = sources

    def files(self, root: Path, patterns: Sequence[str]) -> Sequence[Path]:
        return find_files(root, patterns)


def test_manifests_are_found_by_patterns_folders_and_absolute_paths(tmp_path: Path) -> None:
    sources, other = tmp_path / "s", tmp_path / "other"
    for name in ("s/a.yml", "s/deep/b.yaml", "s/deep/c.txt", "other/d.json", "other/e.yml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(POD)
    run = cast("TaskRun", Run(sources))

    def found(*patterns: str) -> list[str]:
        return [os.fspath(path.relative_to(tmp_path)) for path in manifest_files(run, patterns)]

    assert found("a.yml") == ["s/a.yml"]
    assert found("**/*.y*ml") == ["s/a.yml", "s/deep/b.yaml"]
    assert found("deep", "a.yml", "a.yml") == ["s/deep/b.yaml", "s/a.yml"]
    assert found(f"{other}/*.yml") == ["other/e.yml"]
    assert found(f"{other}/d.json") == ["other/d.json"]
    assert set(found(str(other))) == {"other/d.json", "other/e.yml"}
    with pytest.raises(TaskFailedError, match="No file found with the supplied manifest path"):
        found("missing/*.yml")


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(TaskFailedError, match="cannot be read"):
        read_objects([tmp_path / "gone"], "task")
