"""The conformance tests find what they are there for."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

GOOD = """
from sluice.plugin import *

DEPOT = ConnectionType("acme-depot", "Depot", schemes=(Scheme("Token", "Token", (Field("apitoken", "Token", secret=True),)),))

def verify(connection):
    probe = Probe(connection=connection, authorization=connection.secret("apitoken"), seconds=5)
    answer = probe.ask(connection.url)
    if not answer.ok:
        raise VerificationError("the depot refuses", why=answer.shown)
    return "fine"

def put(run):
    import socket, threading, urllib.parse
    place = urllib.parse.urlsplit(run.connection("depot").url)
    try:
        with socket.create_connection((place.hostname, place.port)) as far:
            run.on_cancel(lambda: far.shutdown(socket.SHUT_RDWR))
            far.sendall(b"GET / HTTP/1.0\\r\\nX: " + run.connection("depot").secret("apitoken").reveal().encode() + b"\\r\\n\\r\\n")
            run.say(far.makefile().read())
    except OSError as error:
        raise TaskFailedError("the depot is not there", why=str(error)) from None
    if run.canceled:
        raise CanceledError("canceled")

@hookimpl
def sluice_family():
    inputs = (Input("depot", type="connectedService:acme-depot", required=True),)
    return Family(types=(DEPOT,), verify={DEPOT.name: verify}, tasks=(Task("AcmePut@1", put, inputs=inputs),))
"""

TEST = """
import acme_depot
from sluice.testing.conformance import PluginConformance

class TestDepot(PluginConformance):
    plugin = acme_depot
"""


@pytest.fixture
def tried(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    pytester.syspathinsert()
    monkeypatch.setenv("PYTHONPATH", str(pytester.path))
    pytester.makepyfile(test_depot=TEST)
    return pytester


def failures(tried: pytest.Pytester, plugin: str, *chosen: str) -> set[str]:
    """The names of the tests that a plugin fails."""
    tried.makepyfile(acme_depot=plugin)
    arguments = ["-q", "-p", "no:cacheprovider", "-rfE", *(("-k", " or ".join(chosen)) if chosen else ())]
    result = tried.runpytest_inprocess(*arguments)
    lines = [line for line in result.outlines if line.startswith(("FAILED ", "ERROR "))]
    assert bool(lines) == (result.ret != 0), result.stdout.str()
    return {line.split(" - ")[0].rpartition("::")[2].partition("[")[0] for line in lines}


def test_a_good_plugin_passes_all_of_them(tried: pytest.Pytester) -> None:
    assert failures(tried, GOOD) == set()


@pytest.mark.parametrize(
    ("good", "bad", "found"),
    [
        ("def sluice_family", "def sluice_famly", "test_it_loads_as_a_plugin"),
        ("from sluice.plugin import *", "from sluice.plugin import *\nimport click", "test_loading_it_imports_no_library"),
        ('Field("apitoken", "Token"', 'Field("apitoken", ""', "test_the_declaration_is_sound"),
        ("verify={DEPOT.name: verify}, ", "", "test_every_type_can_be_tried"),
        ('raise VerificationError("the depot refuses", why=answer.shown)', "pass", "test_a_verification_fails_well"),
        ("why=answer.shown", "why=connection.secret('apitoken').reveal()", "test_a_verification_fails_well"),
        ("    probe = ", "    print(connection.secret('apitoken').reveal())\n    probe = ", "test_a_verification_fails_well"),
        ("    probe = ", "    raise KeyError('depot')\n    probe = ", "test_a_verification_fails_well"),
        ("    import socket", "    print(run.connection('depot').secret('apitoken').reveal())\n    import socket", "test_a_handler_keeps_secrets"),
        (
            "    import socket",
            "    (run.sources / 'rc').write_text(run.connection('depot').secret('apitoken').reveal())\n    import socket",
            "test_a_handler_keeps_secrets",
        ),
        (
            "    import socket",
            "    run.set_variable('x', run.connection('depot').secret('apitoken').reveal(), output=True)\n    import socket",
            "test_a_handler_keeps_secrets",
        ),
        ("except OSError as error", "except KeyError as error", "test_a_handler_keeps_secrets"),
        (
            '        raise TaskFailedError("the depot is not there", why=str(error)) from None\n    if run.canceled:\n        raise CanceledError("canceled")',
            "        pass",
            "test_a_handler_stops_when_it_is_canceled",
        ),
    ],
)  # fmt: skip
def test_each_fault_is_found(tried: pytest.Pytester, good: str, bad: str, found: str) -> None:
    assert good in GOOD
    assert failures(tried, GOOD.replace(good, bad), found) == {found}


def test_a_handler_that_does_not_stop_is_found(tried: pytest.Pytester) -> None:
    tried.makepyfile(test_depot=TEST + "    limit_seconds = 1.0\n")
    stubborn = GOOD.replace("            run.on_cancel(lambda: far.shutdown(socket.SHUT_RDWR))\n", "")
    chosen = "test_a_handler_stops_when_it_is_canceled"
    assert failures(tried, stubborn, chosen) == {chosen}


def test_values_inputs_and_tasks_are_the_plugins_to_give(tried: pytest.Pytester) -> None:
    strict = GOOD.replace("secret=True),)", 'secret=True, validation="depot-[a-z]{4}", validation_message="x"),)')
    assert "test_a_verification_fails_well" in failures(tried, strict, "test_a_verification_fails_well")
    tried.makepyfile(
        test_depot=TEST
        + "    samples = {'acme-depot/Token': {'apitoken': 'depot-qxyz'}}\n    unrun = {'AcmePut@1': 'x'}\n"
    )
    assert failures(tried, strict) == set()
