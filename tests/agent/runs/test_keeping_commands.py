"""What logging commands leave behind with a run."""

from __future__ import annotations

import json

import pytest
from tests.agent.runs.conftest import Bench, Outcome

from sluice.runtime.artifacts.manifest import decode
from sluice.runtime.artifacts.publishing import MAX_ATTACHMENTS
from sluice.runtime.keeping_commands import MAX_DETAILS, MAX_TAGS
from sluice.storage import artifacts, attachments, record_details, run_tags
from sluice.storage.blobs import Blobs
from sluice.storage.record_details import DetailRow

FIRST, SECOND = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"


def _run(bench: Bench, *lines: str, before: str = "", more: str = "") -> Outcome:
    script = "\n".join(f"echo '##vso[{line}'" for line in lines)
    step = json.dumps({"bash": f"{before}\n{script}", "name": "Told"})
    return bench.run_pipeline(f"steps:\n- checkout: none\n- {step}\n{more}")


def _issues(outcome: Outcome) -> list[str]:
    return [str(issue["message"]) for record in outcome.records for issue in record.issues]


def test_files_become_attachments_with_their_content(bench: Bench) -> None:
    outcome = _run(
        bench,
        "task.uploadsummary]'$PWD'/notes.md",
        "task.uploadfile]notes.md",
        "task.addattachment type=kind;name=one]notes.md",
        "task.addattachment type=kind;name=one]other.md",
        "build.uploadlog]other.md",
        "build.uploadsummary]other.md",
        before="echo '# Hi' > notes.md; echo other > other.md",
    )
    assert outcome.run.result == "Succeeded", _issues(outcome)
    blobs = Blobs(bench.home.content)
    with bench.database.read() as transaction:
        found = attachments.of_run(transaction, outcome.run.id)
    contents = {}
    for one in found:
        manifest = decode(blobs.get(one.manifest))
        contents[one.type, one.name] = blobs.get(manifest.blocks[0].digest).decode()
    assert contents == {
        ("DistributedTask.Core.Summary", "notes.md"): "# Hi\n",
        ("DistributedTask.Core.FileAttachment", "notes.md"): "# Hi\n",
        ("kind", "one"): "other\n",
        ("DistributedTask.Core.Log", "CustomToolLog"): "other\n",
        ("DistributedTask.Core.Summary", "CustomMarkDownSummary-other.md"): "other\n",
    }


def test_a_run_gets_tags_and_another_number_that_later_jobs_see(bench: Bench) -> None:
    outcome = bench.run_pipeline(
        """
jobs:
- job: A
  steps:
  - checkout: none
  - bash: |
      echo '##vso[build.addbuildtag] Good '
      echo '##vso[build.addbuildtag]good'
      echo '##vso[build.updatebuildnumber]1.2.3'
  - bash: echo $BUILD_BUILDNUMBER
- job: B
  dependsOn: A
  steps:
  - checkout: none
  - bash: echo $(Build.BuildNumber)
"""
    )
    assert [outcome.output(outcome.jobs(job)[0].id)[-1] for job in "AB"] == ["1.2.3", "1.2.3"]
    assert bench.run(outcome.run.id).name == "1.2.3"
    with bench.database.read() as transaction:
        assert run_tags.of_run(transaction, outcome.run.id) == ["Good"]


def test_artifacts_are_uploaded_and_associated(bench: Bench) -> None:
    outcome = _run(
        bench,
        "artifact.upload artifactname=drop;containerfolder=x;color=red]out",
        "artifact.upload artifactname=drop]more",
        "artifact.associate artifactname=share;type=filepath]/share/x",
        "artifact.associate artifactname=old;artifacttype=gitref]refs/tags/1",
        "artifact.associate artifactname=tfs]$/project/x",
        "artifact.upload artifactname=none]empty",
        before="mkdir out empty; echo 1 > out/a; echo 2 > more",
        more="- {download: current, artifact: drop}\n- bash: head $(Pipeline.Workspace)/drop/*\n",
    )
    assert outcome.run.result == "Succeeded", _issues(outcome)
    with bench.database.read() as transaction:
        found = {one.name: one for one in artifacts.of_run(transaction, outcome.run.id)}
    assert {name: (one.type, one.location, one.files) for name, one in found.items()} == {
        "drop": ("Container", "", 2),
        "share": ("FilePath", "/share/x", 0),
        "old": ("gitref", "refs/tags/1", 0),
        "tfs": ("VersionControl", "$/project/x", 0),
    }
    assert found["drop"].properties == {"color": "red"}
    assert _issues(outcome)[0].endswith("empty' is empty. Nothing will be added to build artifact 'none'.")
    assert [line for line in outcome.output(outcome.jobs("Job")[0].id) if line in {"1", "2"}] == ["1", "2"]


def test_a_download_of_everything_leaves_out_what_has_no_files_here(bench: Bench) -> None:
    outcome = _run(
        bench,
        "artifact.upload artifactname=drop]a",
        "artifact.associate artifactname=old;artifacttype=gitref]refs/tags/1",
        before="touch a",
        more="- download: current\n- bash: cd $(Pipeline.Workspace); ls -d drop old || true\n",
    )
    assert outcome.run.result == "Succeeded", _issues(outcome)
    assert "drop" in outcome.output(outcome.jobs("Job")[0].id)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("task.addattachment name=a]x", "attachment type is not provided"),
        ("task.addattachment type=a]x", "attachment name is not provided"),
        ("task.addattachment type=../a;name=b]x", "is no name of a file"),
        ("task.addattachment type=a;name=b]none", "Cannot upload file, it does not exist: none"),
        ("task.uploadsummary]", "Cannot upload file, it does not exist"),
        ("task.uploadfile]/dev/null", "Cannot upload file, it does not exist"),
        ("build.addbuildtag] ", "Build tag is required."),
        ("build.updatebuildnumber]", "Build number is required."),
        ("build.updatebuildnumber]a/b", "has characters that are not allowed"),
        ("artifact.upload]x", "Artifact Name is required."),
        ("artifact.upload artifactname=a]", "Artifact location is required."),
        ("artifact.upload artifactname=a]none", "Path does not exist: none"),
        ("artifact.upload artifactname=../../a]x", "Artifact name is not valid"),
        ("artifact.associate artifactname=a]somewhere", "infer artifact type from artifact location: somewhere."),
        ("artifact.associate artifactname=a;artifacttype=container]", "Artifact location is required."),
        ("task.logdetail]x", "timeline record id is not provided"),
        ("task.logdetail id=1;name=a;type=b]x", "is not a GUID"),
        (f"task.logdetail id={FIRST};type=b]x", "Name is required for this new timeline record."),
        (f"task.logdetail id={FIRST};name=b]x", "Type is required for this new timeline record."),
        (f"task.logdetail id={FIRST};name=b;type=Job]x", "the type 'Job' cannot be added"),
        (f"task.logdetail id={FIRST};name=b;type=c;parentid={SECOND}]x", "Parent timeline record has not been created"),
    ],
)
def test_a_command_that_cannot_be_carried_out_fails_its_step(bench: Bench, line: str, text: str) -> None:
    outcome = _run(bench, line, before="touch x")
    assert outcome.run.result == "Failed"
    assert text in _issues(outcome)[1]


def test_nested_records_are_kept_as_they_were_last_told(bench: Bench) -> None:
    outcome = _run(
        bench,
        f"task.logdetail id={FIRST};name=Phase one;type=build;order=2]starting",
        f"task.logdetail id={SECOND};name=Part;type=part;parentid={FIRST};starttime=2026-01-01T00:00:00Z]",
        f"task.logdetail id={FIRST};progress=40]halfway",
        f"task.logdetail id={FIRST};progress=bad;state=Completed;result=Failed]",
        f"task.logdetail id={SECOND};parentid={SECOND}]",
    )
    assert outcome.run.result == "Failed"
    assert "Can't change parent timeline record of an existing timeline record." in _issues(outcome)[1]
    with bench.database.read() as transaction:
        found = {one.id: one for one in record_details.of_run(transaction, outcome.run.id)}
    step = next(one for one in outcome.records if one.ref_name == "Told")
    assert found[FIRST] == DetailRow(
        record_id=step.id,
        id=FIRST,
        type="build",
        name="Phase one",
        order=2,
        percent=40,
        state="Completed",
        result="Failed",
        operation="halfway",
    )
    assert (found[SECOND].parent_id, found[SECOND].state, found[SECOND].started_at) == (
        FIRST,
        "InProgress",
        "2026-01-01T00:00:00Z",
    )


def test_a_flood_is_bounded_and_told_once_and_the_step_goes_on(bench: Bench) -> None:
    script = f"""echo x > x
for i in $(seq {MAX_TAGS + 2}); do echo "##vso[build.addbuildtag]tag-$i"; done
for i in $(seq {MAX_TAGS}); do echo "##vso[build.addbuildtag]TAG-1"; done
for i in $(seq {MAX_DETAILS + 2}); do
  printf '##vso[task.logdetail id=00000000-0000-0000-0000-0001%08d;name=n;type=t]x\\n' $i
done
echo '##vso[task.logdetail id=00000000-0000-0000-0000-000100000001;progress=50]known'
for i in $(seq {MAX_ATTACHMENTS + 2}); do echo "##vso[task.addattachment type=kind;name=n$i]x"; done
"""
    outcome = bench.run_pipeline(f"steps:\n- checkout: none\n- {json.dumps({'bash': script})}\n")
    assert outcome.run.result == "Succeeded", _issues(outcome)
    assert _issues(outcome) == [
        f"A job leaves at most {limit:,} {what} behind: those beyond are not kept."
        for limit, what in (
            (MAX_TAGS, "tags"),
            (MAX_DETAILS, "timeline records"),
            (MAX_ATTACHMENTS, "attachments"),
        )
    ]
    with bench.database.read() as transaction:
        assert len(run_tags.of_run(transaction, outcome.run.id)) == MAX_TAGS
        details = {one.id: one for one in record_details.of_run(transaction, outcome.run.id)}
        assert len(attachments.of_run(transaction, outcome.run.id)) == MAX_ATTACHMENTS
    assert len(details) == MAX_DETAILS
    assert details["00000000-0000-0000-0000-000100000001"].percent == 50


def test_a_tag_that_is_no_line_of_text_fails_its_step(bench: Bench) -> None:
    outcome = _run(bench, f"build.addbuildtag]{'x' * 256}")
    assert outcome.run.result == "Failed"
    assert "was not added successfully: it is no line of at most 255 characters" in _issues(outcome)[1]


def test_a_number_with_a_secret_in_it_is_refused_for_that(bench: Bench) -> None:
    secret = "s3cr3t-of-this-run"  # made up
    outcome = _run(bench, f"task.setsecret]{secret}", f"build.updatebuildnumber]1.2-{secret}")
    assert outcome.run.result == "Failed"
    assert _issues(outcome)[1].startswith("The build number holds a secret: ")
    assert secret not in str(_issues(outcome))
    assert bench.run(outcome.run.id).name == outcome.run.name
    assert "***" not in outcome.run.name


def test_no_secret_is_kept_in_what_names_things(bench: Bench) -> None:
    secret = "s3cr3t-of-this-run"  # made up
    outcome = _run(
        bench,
        f"task.setsecret]{secret}",
        f"build.addbuildtag]{secret}",
        f"task.addattachment type=a;name=x-{secret}]x",
        f"artifact.associate artifactname=a;artifacttype=gitref;p={secret}]{secret}",
        f"task.logdetail id={FIRST};name={secret};type=b]{secret}",
        before="touch x",
    )
    assert outcome.run.result == "Succeeded", _issues(outcome)
    with bench.database.read() as transaction:
        kept = [
            run_tags.of_run(transaction, outcome.run.id),
            attachments.of_run(transaction, outcome.run.id),
            artifacts.of_run(transaction, outcome.run.id),
            record_details.of_run(transaction, outcome.run.id),
        ]
    assert "***" in str(kept)
    assert secret not in str(kept)
