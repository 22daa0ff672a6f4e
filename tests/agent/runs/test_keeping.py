"""Artifacts and caches between stages, runs and pipelines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.agent.runs.conftest import Bench, Outcome

from sluice.storage import artifacts, caches, run_tags
from sluice.storage.artifacts import ArtifactRow

MAKE = """
    - checkout: none
    - bash: |
        mkdir -p out/bin
        echo made > out/made.txt
        echo '#!/bin/sh' > out/bin/tool
        chmod +x out/bin/tool
"""
TWO_STAGES = f"""
stages:
- stage: Build
  jobs:
  - job: Make
    steps:{MAKE}
    - publish: out
      artifact: drop
- stage: Use
  jobs:
  - job: Take
    steps:
    - checkout: none
    - download: current
      artifact: drop
      name: Got
    - bash: |
        cat $(Pipeline.Workspace)/drop/made.txt
        test -x $(Pipeline.Workspace)/drop/bin/tool && echo executable
        echo from $(Got.BuildNumber)
"""


def _steps(*steps: str) -> str:
    return "steps:\n- checkout: none\n" + "".join(f"- {step}\n" for step in steps)


def _task(name: str, **inputs: object) -> str:
    return json.dumps({"task": name, "inputs": {key: str(value) for key, value in inputs.items()}})


def _printed(outcome: Outcome, job: str) -> list[str]:
    return outcome.output(outcome.jobs(job)[0].id)


def _artifacts(bench: Bench, run_id: int) -> dict[str, ArtifactRow]:
    with bench.database.read() as transaction:
        return {one.name: one for one in artifacts.of_run(transaction, run_id)}


def _issues(outcome: Outcome) -> str:
    return "\n".join(str(issue["message"]) for record in outcome.records for issue in record.issues)


def test_what_one_stage_publishes_the_next_one_downloads(bench: Bench) -> None:
    outcome = bench.run_pipeline(TWO_STAGES)
    assert outcome.run.result == "Succeeded", _issues(outcome)
    assert _printed(outcome, "Take") == ["made", "executable", f"from {outcome.run.name}"]
    drop = _artifacts(bench, outcome.run.id)["drop"]
    assert (drop.type, drop.files, drop.step) == ("PipelineArtifact", 2, "Build.Make.PublishPipelineArtifact1")


def test_another_run_and_another_pipeline_download_it(bench: Bench) -> None:
    first = bench.run_pipeline(TWO_STAGES).run
    for name in ("demo", "other"):
        for how in ({"runVersion": "latest"}, {"runVersion": "specific", "runId": first.id}):
            step = _task(
                "DownloadPipelineArtifact@2", source="specific", pipeline="demo", artifact="drop", path="x", **how
            )
            outcome = bench.run_pipeline(_steps(step, "bash: cat x/made.txt"), name=name)
            assert outcome.run.result == ("Succeeded"), _issues(outcome)
            assert _printed(outcome, "Job") == ["made"]
            if name == "demo":  # else the newest run of demo is this one, which has no artifact
                with bench.database.write() as transaction:
                    from sluice.storage import runs

                    runs.change(transaction, outcome.run.id, result="Failed")


def test_the_latest_run_is_the_newest_that_succeeded_with_that_branch_and_those_tags(bench: Bench) -> None:
    make = MAKE + "    - publish: out\n      artifact: drop\n"
    pipeline = f"jobs:\n- job: Make\n  steps:{make}"
    main = bench.run_pipeline(pipeline, source={"branch": "refs/heads/main"}).run
    bench.run_pipeline(pipeline, source={"branch": "refs/heads/topic"})
    tagged = bench.run_pipeline(pipeline, source={"branch": "refs/heads/topic"}).run
    with bench.database.write() as transaction:
        run_tags.add(transaction, tagged.id, "Release")
        run_tags.add(transaction, tagged.id, "good")
    newest = bench.run_pipeline(pipeline, source={"branch": "refs/heads/topic"}).run
    failed = bench.run_pipeline(pipeline + "    - bash: exit 1\n", source={"branch": "refs/heads/main"}).run
    wanted = {
        newest.id: {},
        main.id: {"runVersion": "latestFromBranch", "runBranch": "main"},
        tagged.id: {"tags": "release, good"},
        failed.id: {"allowFailedBuilds": "true"},
    }
    for run_id, how in wanted.items():
        step = _task("DownloadPipelineArtifact@2", source="specific", pipeline="demo", **how)
        outcome = bench.run_pipeline(
            _steps(step.replace("{", '{"name": "D", ', 1), "bash: echo $(D.BuildNumber)"), name="o"
        )
        assert _printed(outcome, "Job") == [bench.run(run_id).name]
    for how, text in (
        ({"tags": "never"}, "No builds currently exist in the pipeline definition supplied."),
        ({"pipeline": "nobody"}, "The following pipeline does not exist: nobody."),
        ({"runVersion": "specific", "runId": "9999"}, "Run Id is not valid: 9999"),
        ({"runVersion": "specific", "runId": "x"}, "Run Id is not valid: x"),
        ({"project": "secret"}, "artifacts of the project 'secret' are not open"),
        ({"artifact": "../drop"}, "Artifact name is not valid: ../drop"),
        ({"artifact": "none"}, f"Artifact none was not found for build {newest.id}"),
    ):
        given: dict[str, object] = {"source": "specific", "pipeline": "demo", **how}
        outcome = bench.run_pipeline(_steps(_task("DownloadPipelineArtifact@2", **given)), name="o")
        assert outcome.run.result == "Failed"
        assert text in _issues(outcome)


def test_a_second_artifact_of_a_name_is_refused_in_the_documented_words(bench: Bench) -> None:
    publish = "{publish: out, artifact: drop}"
    outcome = bench.run_pipeline(
        _steps("bash: mkdir out; echo 1 > out/x", publish, "bash: echo 2 > out/x", publish.replace("drop", "DROP"))
    )
    assert outcome.run.result == "Failed"
    assert f"Artifact DROP already exists for build {outcome.run.id}." in _issues(outcome)
    assert list(_artifacts(bench, outcome.run.id)) == ["drop"]


def test_containers_of_a_name_grow_together(bench: Bench) -> None:
    publish = _task("PublishBuildArtifacts@1", PathtoPublish="out", ArtifactName="drop")
    take = _task("DownloadBuildArtifacts@1", artifactName="drop", downloadPath="to")
    outcome = bench.run_pipeline(
        _steps(
            "bash: mkdir out; echo 1 > out/x; echo 1 > out/y",
            publish,
            "bash: rm out/y; echo 2 > out/x",
            publish,
            take,
            "bash: head to/drop/*",
        )
    )
    assert outcome.run.result == "Succeeded", _issues(outcome)
    assert _printed(outcome, "Job") == ["==> to/drop/x <==", "2", "", "==> to/drop/y <==", "1"]


def test_a_shared_folder_keeps_the_files_and_the_run_keeps_where_it_is(bench: Bench, tmp_path: Path) -> None:
    publish = _task(
        "PublishBuildArtifacts@1", PathtoPublish="out", ArtifactType="FilePath", TargetPath=tmp_path / "share"
    )
    take = _task("DownloadBuildArtifacts@0", artifactName="drop", downloadPath="to", itemPattern="drop/*.txt")
    outcome = bench.run_pipeline(
        _steps(
            "bash: mkdir out; echo 1 > out/x.txt; touch out/y",
            publish,
            take,
            _task(
                "DownloadFileshareArtifacts@1", filesharePath=tmp_path / "share", artifactName="drop", downloadPath="b"
            ),
            "bash: ls to/drop b/drop",
        )
    )
    assert outcome.run.result == "Succeeded", _issues(outcome)
    assert (tmp_path / "share" / "drop" / "x.txt").read_text() == "1\n"
    assert _printed(outcome, "Job") == ["b/drop:", "x.txt", "y", "", "to/drop:", "x.txt"]
    assert _artifacts(bench, outcome.run.id)["drop"].type == "FilePath"


def test_an_artifact_without_a_name_is_called_after_its_job(bench: Bench) -> None:
    outcome = bench.run_pipeline(
        "jobs:\n- job: Make\n  steps:\n  - checkout: none\n  - bash: touch x\n  - publish: x\n"
    )
    assert list(_artifacts(bench, outcome.run.id)) == ["Make"]


@pytest.mark.parametrize(
    ("step", "text"),
    [
        ("{publish: nowhere, artifact: a}", "Path does not exist: "),
        ("{publish: ., artifact: a/b}", "Artifact name is not valid: a/b. It cannot contain '\\', /', "),
        ("{publish: ., artifact: ..}", "Artifact name is not valid: .."),
        ("{publish: $(Agent.HomeDirectory)/keys, artifact: a}", "is where Sluice keeps its state"),
        ("{publish: $(Agent.HomeDirectory)/data/sluice.db, artifact: a}", "is where Sluice keeps its state"),
        (_task("PublishPipelineArtifact@1", path=".", properties="x"), "Artifact custom properties is not valid JSON"),
        ("{download: current, artifact: none}", "Artifact none was not found for build 1."),
        (_task("Cache@2", key="a", path="."), ""),
    ],
)
def test_what_cannot_be_published_or_downloaded_is_told(bench: Bench, step: str, text: str) -> None:
    outcome = bench.run_pipeline(_steps(step))
    assert (outcome.run.result == "Failed") is bool(text)
    assert text in _issues(outcome)


def test_private_folders_are_not_published_with_what_lies_around_them(bench: Bench) -> None:
    outcome = bench.run_pipeline(
        _steps(
            "bash: mkdir -p $(Agent.TempDirectory)/.tools; touch $(Agent.TempDirectory)/.tools/login $(Agent.TempDirectory)/own",
            "{publish: $(Agent.TempDirectory), artifact: temp}",
            "{publish: $(Agent.WorkFolder), artifact: work}",
            "{download: current}",
            "bash: cd $(Pipeline.Workspace); find temp work -name login -o -name own -o -name '*.db'",
        )
    )
    assert outcome.run.result == "Succeeded", _issues(outcome)
    assert [line for line in _printed(outcome, "Job") if "mkdir" not in line] == ["temp/own"]


def test_a_broken_blob_fails_the_download_and_is_named(bench: Bench) -> None:
    run = bench.run_pipeline(TWO_STAGES).run
    blobs = [file for file in (bench.home.content).rglob("*") if file.is_file()]
    manifest = _artifacts(bench, run.id)["drop"].manifest
    (content,) = (file for file in blobs if len(file.name) == 64 and file.name != manifest)
    content.write_bytes(b"x" * content.stat().st_size)
    step = _task("DownloadPipelineArtifact@2", source="specific", runVersion="specific", runId=run.id, pipeline="demo")
    outcome = bench.run_pipeline(_steps(step))
    assert outcome.run.result == "Failed"
    assert f"the blob {content.name} is broken" in _issues(outcome)


CACHE = _task("Cache@2", key="npm | lock.json", path="kept", restoreKeys="npm", cacheHitVar="HIT")


def _cached(lock: str, *more: str) -> str:
    return _steps(
        f"bash: echo {lock} > lock.json", CACHE, "bash: echo $(HIT); cat kept/x || true; mkdir -p kept", *more
    )


def test_a_cache_is_missed_then_hit_then_found_by_its_restore_key(bench: Bench) -> None:
    first = bench.run_pipeline(_cached("1", "bash: echo one > kept/x"))
    assert _printed(first, "Job")[:1] == ["false"]
    again = bench.run_pipeline(_cached("1", "bash: echo two > kept/x"))
    assert _printed(again, "Job") == ["true", "one"]
    assert "already exists" in bench.log(again.run.id)
    other = bench.run_pipeline(_cached("2", "bash: echo three > kept/x"))
    assert _printed(other, "Job") == ["inexact", "one"]
    last = bench.run_pipeline(_cached("2"))
    assert _printed(last, "Job") == ["true", "three"]


def test_a_job_that_failed_keeps_no_cache(bench: Bench) -> None:
    outcome = bench.run_pipeline(_cached("1", "bash: echo one > kept/x; exit 1"))
    assert outcome.run.result == "Failed"
    assert "Skipping because the job status was not 'Succeeded'." in bench.log(outcome.run.id)
    assert _printed(bench.run_pipeline(_cached("1")), "Job")[:1] == ["false"]


def test_caches_are_seen_from_their_branch_and_from_the_default_branch_only(bench: Bench) -> None:
    def run(branch: str, *more: str, name: str = "demo") -> list[str]:
        outcome = bench.run_pipeline(_cached("1", *more), name=name, source={"branch": f"refs/heads/{branch}"})
        return [line for line in _printed(outcome, "Job") if not line.startswith("cat:")]

    assert run("topic", "bash: echo topic > kept/x") == ["false"]
    assert run("main", "bash: echo main > kept/x") == ["false"]
    assert run("other") == ["true", "main"]
    assert run("topic") == ["true", "topic"]
    assert run("main", name="another") == ["false"]
    with bench.database.read() as transaction:
        found = [(one.scope, one.key) for one in caches.of_project(transaction, 1)]
    assert sorted(scope for scope, _ in found) == ["refs/heads/main", "refs/heads/topic"]


def test_a_cache_that_is_broken_is_a_miss_with_a_warning(bench: Bench) -> None:
    bench.run_pipeline(_cached("1", "bash: echo one > kept/x"))
    for file in bench.home.content.rglob("*"):
        if file.is_file():
            file.unlink()
    outcome = bench.run_pipeline(_cached("1"))
    assert outcome.run.result == "Succeeded"
    assert _printed(outcome, "Job")[:1] == ["false"]
    assert "The cache cannot be restored" in _issues(outcome)


def test_a_cache_takes_several_paths_files_and_links(bench: Bench, tmp_path: Path) -> None:
    cache = _task("Cache@2", key="k", cacheHitVar="HIT", path=f"a\n{tmp_path}/b\nfile")
    make = (
        f"bash: mkdir a; echo 1 > a/x; ln -s /etc/passwd a/l; mkdir {tmp_path}/b; touch {tmp_path}/b/y; echo f > file"
    )
    assert bench.run_pipeline(_steps(cache, make)).run.result == "Succeeded"
    show = f"bash: echo $(HIT); cat a/x file; readlink a/l; ls {tmp_path}/b"
    assert _printed(bench.run_pipeline(_steps(f"bash: rm -r {tmp_path}/b", cache, show)), "Job") == [
        "true",
        "1",
        "f",
        "/etc/passwd",
        "y",
    ]


def test_a_deployment_downloads_everything_unless_it_says_otherwise(bench: Bench) -> None:
    def deploying(*steps: str) -> str:
        listed = "".join(
            f"        - {step}\n"
            for step in (*steps, "bash: cd $(Pipeline.Workspace); find drop upstream -type f 2>/dev/null || true")
        )
        return f"""
resources:
  pipelines:
  - pipeline: upstream
    source: maker
stages:
- stage: Build
  jobs:
  - job: Make
    steps:{MAKE}
    - publish: out
      artifact: drop
- stage: Deploy
  jobs:
  - deployment: Web
    environment: test
    strategy:
      runOnce:
        deploy:
          steps:
{listed.replace("        -", "          -")}"""

    def downloaded(*steps: str) -> list[str]:
        outcome = bench.run_pipeline(deploying(*steps))
        assert outcome.run.result == "Succeeded", _issues(outcome)
        return sorted(_printed(outcome, "Web"))

    assert downloaded() == ["drop/bin/tool", "drop/made.txt"]  # nobody has run the other pipeline yet
    bench.run_pipeline(_steps("bash: echo 1 > x", "{publish: x, artifact: made}"), name="maker")
    assert downloaded() == ["drop/bin/tool", "drop/made.txt", "upstream/made/x"]
    assert downloaded("download: none") == []
    assert downloaded("{download: upstream, artifact: made}") == ["upstream/made/x"]


def test_a_pipeline_resource_is_the_newest_good_run_when_the_run_was_created(bench: Bench) -> None:
    pipeline = """
resources:
  pipelines:
  - {pipeline: up, source: 'folder\\maker', branch: main, tags: [good]}
  - {pipeline: third, source: maker, version: '%s'}
  - {pipeline: none, source: maker, project: elsewhere}
steps:
- checkout: none
- download: up
- bash: |
    cat $(Pipeline.Workspace)/up/made/x
    echo $(resources.pipeline.up.runID) $(resources.pipeline.up.pipelineName) $(resources.pipeline.up.sourceBranch)
    echo $RESOURCES_PIPELINE_UP_RUNNAME $(resources.pipeline.third.runID) '$(resources.pipeline.none.runID)'
"""
    made = []
    for number, branch in enumerate(("main", "main", "topic")):
        maker = _steps(f"bash: echo {number} > x; echo '##vso[build.addbuildtag]good'", "{publish: x, artifact: made}")
        made.append(bench.run_pipeline(maker, name="maker", source={"branch": f"refs/heads/{branch}"}).run)
    bench.run_pipeline(_steps("bash: exit 1"), name="maker", source={"branch": "refs/heads/main"})
    run = bench.create(pipeline % made[0].name)
    bench.run_pipeline(_steps("bash: echo later > x", "{publish: x, artifact: made}"), name="maker")
    outcome = bench.drive(run.id)
    assert outcome.run.result == "Succeeded", _issues(outcome)
    assert _printed(outcome, "Job") == [
        "1",
        f"{made[1].id} maker refs/heads/main",
        f"{made[1].name} {made[0].id} $(resources.pipeline.none.runID)",
    ]


def test_a_download_of_a_resource_that_has_no_run_yet_says_so(bench: Bench) -> None:
    outcome = bench.run_pipeline("resources: {pipelines: [{pipeline: up, source: maker}]}\n" + _steps("download: up"))
    assert outcome.run.result == "Failed"
    assert "Pipeline Resource up Input Must be Valid." in _issues(outcome)


def test_no_secret_is_kept_in_the_key_of_a_cache(bench: Bench) -> None:
    cache = _task("Cache@2", key="a | $(SECRET)", path="kept")
    outcome = bench.run_pipeline(_steps(cache, "bash: mkdir kept; touch kept/x"), secrets={"SECRET": "s3cr3t-of-a-run"})
    assert outcome.run.result == "Succeeded", _issues(outcome)
    with bench.database.read() as transaction:
        assert [one.key for one in caches.of_project(transaction, 1)] == ["a\n***\n"]


def test_a_key_that_is_too_long_is_told(bench: Bench) -> None:
    outcome = bench.run_pipeline(_steps(_task("Cache@2", key="x" * 3000, path="kept")))
    assert "The key of the cache has more than 2000 bytes." in _issues(outcome)
