"""Files of test results: what each runner writes, and what none of them does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.runtime.testresults import formats
from sluice.runtime.testresults.formats import Case, ResultFileError, read

JUNIT = """<?xml version="1.0"?><testsuites><testsuite name="s">
<testcase classname="a.B" name="good" time="1.5"/>
<testcase classname="a.B" name="bad" time="1,000.25"><failure message="expected 1">at line 3</failure></testcase>
<testcase name="broken"><error>oops</error></testcase>
<testcase name="left out"><skipped/></testcase>
</testsuite></testsuites>"""
NUNIT2 = """<test-results><test-suite><results>
<test-case name="N.good" executed="True" result="Success" time="0.5"/>
<test-case name="N.bad" executed="True" result="Failure" time="0.1"><failure><message><![CDATA[expected]]></message>
<stack-trace>at N</stack-trace></failure></test-case>
<test-case name="N.off" executed="False" result="Ignored"/>
</results></test-suite></test-results>"""
NUNIT3 = """<test-run><test-suite>
<test-case name="good" fullname="N.good" result="Passed" duration="0.5"/>
<test-case name="bad" fullname="N.bad" result="Failed" duration="0.1"><failure><message>expected</message>
<stack-trace>at N</stack-trace></failure></test-case>
<test-case name="off" fullname="N.off" result="Skipped"/>
</test-suite></test-run>"""
XUNIT = """<assemblies><assembly><collection>
<test name="N.good" result="Pass" time="0.5"/>
<test name="N.bad" result="Fail" time="0.1"><failure><message>expected</message><stack-trace>at N</stack-trace>
</failure></test><test name="N.off" result="Skip" time="0"/></collection></assembly></assemblies>"""
TRX = """<TestRun xmlns="http://microsoft.com/schemas/VisualStudio/TeamTest/2010"><Results>
<UnitTestResult testName="N.good" outcome="Passed" duration="00:00:00.5000000"/>
<UnitTestResult testName="N.bad" outcome="Failed" duration="00:00:00.1"><Output><ErrorInfo>
<Message>expected</Message><StackTrace>at N</StackTrace></ErrorInfo></Output></UnitTestResult>
<UnitTestResult testName="N.off" outcome="NotExecuted"/></Results></TestRun>"""
CTEST = """<Site><Testing><TestList><Test>./good</Test></TestList>
<Test Status="passed"><Name>N.good</Name><Results><NamedMeasurement name="Execution Time"><Value>0.5</Value>
</NamedMeasurement></Results></Test>
<Test Status="failed"><Name>N.bad</Name><Results>
<NamedMeasurement name="Execution Time"><Value>0.1</Value></NamedMeasurement>
<NamedMeasurement name="Exit Code"><Value>expected</Value></NamedMeasurement>
<Measurement><Value>at N</Value></Measurement></Results></Test>
<Test Status="notrun"><Name>N.off</Name></Test></Testing></Site>"""


def _read(tmp_path: Path, text: str | bytes, runner: str) -> list[Case]:
    file = tmp_path / "results.xml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return read(file, runner)


def test_junit_tells_failures_errors_and_what_was_left_out(tmp_path: Path) -> None:
    assert _read(tmp_path, JUNIT, "JUnit") == [
        Case(name="a.B.good", outcome="passed", seconds=1.5),
        Case(name="a.B.bad", outcome="failed", seconds=1000.25, message="expected 1", details="at line 3"),
        Case(name="broken", outcome="failed", details="oops"),
        Case(name="left out", outcome="skipped"),
    ]


@pytest.mark.parametrize(
    ("runner", "text"),
    [("NUnit", NUNIT2), ("NUnit", NUNIT3), ("XUnit", XUNIT), ("VSTest", TRX), ("CTest", CTEST)],
)
def test_every_runner_says_the_same_in_its_own_way(runner: str, text: str, tmp_path: Path) -> None:
    assert _read(tmp_path, text, runner) == [
        Case(name="N.good", outcome="passed", seconds=0.5),
        Case(name="N.bad", outcome="failed", seconds=0.1, message="expected", details="at N"),
        Case(name="N.off", outcome="skipped"),
    ]


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><testsuites>&b;</testsuites>'
OUTSIDE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><testsuites>&a;</testsuites>'


@pytest.mark.parametrize("text", ["", "no XML", "<testsuites>", "<html/>", BOMB, OUTSIDE, b"\xff\xfe\x00"])
def test_what_is_no_result_file_is_told_and_names_the_file(text: str | bytes, tmp_path: Path) -> None:
    for runner in formats.NAMES:
        with pytest.raises(ResultFileError, match=r"results\.xml"):
            _read(tmp_path, text, runner)


def test_pipes_folders_and_large_files_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, tmp_path / "none"):
        with pytest.raises(ResultFileError):
            read(path, "JUnit")
    monkeypatch.setattr(formats, "MAX_BYTES", 10)
    with pytest.raises(ResultFileError, match="larger"):
        _read(tmp_path, JUNIT, "JUnit")
    with pytest.raises(ResultFileError, match="not known"):
        _read(tmp_path, JUNIT, "Mocha")


@given(
    result=st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=8).map(
        lambda text: text.replace("<", "").replace("&", "").replace('"', "")
    )
)
def test_whatever_stands_in_the_attributes_a_test_has_an_outcome(
    result: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("results")
    text = f'<test-run><test-case result="{result}" duration="{result}"/></test-run>'
    (case,) = _read(folder, text, "NUnit")
    assert case.outcome in {"passed", "failed", "skipped"}
    assert case.seconds >= 0
