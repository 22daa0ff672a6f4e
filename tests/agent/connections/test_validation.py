"""Validation against the type."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from sluice.connections import validation
from sluice.connections.changes import fit_draft
from sluice.connections.connection import Draft
from sluice.connections.validation import Entered, Fitted, check_name, fit, fit_url, weakness
from sluice.errors import ConnectionInvalidError, UsageError
from sluice.hooks.declaration import ConnectionType, Field, Scheme, Url
from sluice.runtime import masking
from sluice.secret import Secret

TOKEN = {"apitoken": Secret("token-1234")}


def _fit(
    depot: ConnectionType,
    values: Mapping[str, str] | None = None,
    *,
    secrets: Mapping[str, Secret] | None = None,
    scheme: str = "Token",
    url: str = "https://depot.example",
    references: Mapping[str, str] | None = None,
) -> Fitted:
    draft = Draft(
        name="x",
        type="depot",
        scheme=scheme,
        url=url,
        values=values or {},
        secrets=TOKEN if secrets is None else secrets,
        references=references or {},
    )
    return fit_draft(depot, draft, {})


def test_fields_are_found_in_any_case_and_stored_as_the_type_spells_them(depot: ConnectionType) -> None:
    fitted = _fit(depot, {"region": "SOUTH", "STRICT": "True", "retries": " 3 "}, scheme="token")
    assert fitted.scheme == "Token"
    assert fitted.entered.values == {("data", "Region"): "south", ("data", "Strict"): "true", ("data", "Retries"): "3"}
    assert fitted.entered.secrets == {("parameters", "apitoken"): Secret("token-1234")}


def test_defaults_are_filled_in(depot: ConnectionType) -> None:
    assert _fit(depot).entered.values == {("data", "Region"): "north"}


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"Regoin": "north"}, r"no field 'Regoin' \(did you mean 'Region'\?\)"),
        ({"zzz": "1"}, r"no field 'zzz' \(known: apitoken, Region"),
        ({"Region": "west"}, "must be one of: north, south"),
        ({"Retries": "many"}, "whole number"),
        ({"Retries": "12"}, "is one digit"),
        ({"Strict": "yes"}, "true or false"),
        ({"Proxy": "a\nb"}, "single line"),
        ({"Proxy": "a\0b"}, "NUL"),
        ({"Proxy": "a" * 2_000_000}, "1 MiB"),
    ],
)
def test_what_does_not_fit_is_named(depot: ConnectionType, values: Mapping[str, str], text: str) -> None:
    with pytest.raises(ConnectionInvalidError, match=text):
        _fit(depot, values)


def test_every_problem_is_told_at_once(depot: ConnectionType) -> None:
    with pytest.raises(ConnectionInvalidError) as caught:
        _fit(depot, {"Region": "west", "Retries": "x"}, secrets={}, url="ftp://x")
    for part in ("Region", "Retries", "apitoken", "https://"):
        assert part in str(caught.value)


def test_a_required_secret_may_be_a_reference(depot: ConnectionType) -> None:
    assert _fit(depot, secrets={}, references={"APITOKEN": "env:X"}).entered.references == {
        ("parameters", "apitoken"): "env:X"
    }
    with pytest.raises(ConnectionInvalidError, match=r"API token \('apitoken'\) is required"):
        _fit(depot, secrets={"apitoken": Secret("")})


def test_a_secret_among_the_plain_values_is_refused_and_not_repeated(depot: ConnectionType) -> None:
    with pytest.raises(UsageError, match="is secret") as caught:
        _fit(depot, {"apitoken": "hunter2secret"})
    assert "hunter2secret" not in str(caught.value)


def test_a_secret_that_does_not_fit_is_not_repeated(depot: ConnectionType) -> None:
    with pytest.raises(ConnectionInvalidError, match="single line") as caught:
        _fit(depot, secrets={"apitoken": Secret("hunter2\nsecret")})
    assert "hunter2" not in str(caught.value)
    with pytest.raises(ConnectionInvalidError, match="blanks only"):
        _fit(depot, secrets={"apitoken": Secret("   ")})


def test_a_literal_in_place_of_a_reference_is_refused_and_not_repeated(depot: ConnectionType) -> None:
    for literal in ("hunter2secret", "hunter2secret:x", "env:", "env"):
        with pytest.raises(ConnectionInvalidError, match="no secret reference") as caught:
            _fit(depot, secrets={}, references={"apitoken": literal})
        assert "hunter2secret" not in str(caught.value)


def test_of_several_schemes_one_has_to_be_chosen(depot: ConnectionType) -> None:
    with pytest.raises(ConnectionInvalidError, match="choose one of: Token, Basic"):
        _fit(depot, scheme="")
    with pytest.raises(ConnectionInvalidError, match="did you mean 'Basic'"):
        _fit(depot, scheme="Basci")


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("", "is required"),
        ("depot.example", "must start with"),
        ("http://depot.example", "must start with one of: https://"),
        ("file:///etc/shadow", "must start with"),
        ("https://", "names no host"),
        ("https:///x", "names no host"),
        ("https://user:hunter2secret@host", "user name or a password"),
        ("https://hunter2secret@host", "user name or a password"),
        ("https://host\r\nX: y", "cannot be seen"),
        ("https://ho st", "blanks"),
        ("https://[::1", "cannot be read"),
        ("https://host:99999", "cannot be read"),
    ],
)
def test_urls_that_are_not_allowed_are_refused(depot: ConnectionType, url: str, text: str) -> None:
    with pytest.raises(ConnectionInvalidError, match=text) as caught:
        _fit(depot, url=url)
    assert "hunter2secret" not in str(caught.value)


def test_an_optional_url_has_its_default() -> None:
    assert fit_url(Url(required=False, default="https://x.example"), "", {}) == "https://x.example"
    assert fit_url(Url(required=False), "", {}) == ""


def test_a_url_made_of_fields_follows_them_and_is_not_entered() -> None:
    rule = Url(entered=False, template="ssh://{Host}:{Port}")
    assert fit_url(rule, "", {"Host": "web", "port": "22"}) == "ssh://web:22"
    assert fit_url(rule, "", {"Host": "fe80::1", "Port": "22"}) == "ssh://[fe80::1]:22"
    assert fit_url(rule, "ssh://web:22/", {"Host": "web", "Port": "22"}) == "ssh://web:22"
    assert fit_url(rule, "", {"Host": "web"}) == ""
    with pytest.raises(ConnectionInvalidError, match="not entered"):
        fit_url(rule, "ssh://evil:22", {"Host": "web", "Port": "22"})


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a\u200bb", "0D1F0A3E-0000-0000-0000-000000000001", "x" * 257])
def test_names_that_nobody_could_refer_to_are_refused(name: str) -> None:
    with pytest.raises(ConnectionInvalidError):
        check_name(name)


def test_names_are_kept_composed_and_trimmed() -> None:
    assert check_name(" Cafe\u0301 ") == "Café"


@pytest.mark.parametrize(
    ("secret", "warns"), [("ab", True), ("a1b2c", True), ("TRUE", True), ("a1b2c3", False), (" a ", True)]
)
def test_secrets_that_cannot_be_masked_are_warned_about_and_not_shown(secret: str, warns: bool) -> None:
    text = weakness("password", Secret(secret))
    assert bool(text) is warns
    assert f"'{secret}'" not in text


def test_the_warnings_agree_with_what_the_mask_does() -> None:
    assert validation.UNMASKED_SECRET == masking.MINIMUM
    assert validation.COMMON_SECRETS == masking.COMMON


def test_namesakes_of_two_places_are_told_apart() -> None:
    kind = ConnectionType(
        "twin",
        "Twin",
        url=Url(required=False),
        schemes=(Scheme("S", "S", (Field("key", "Parameter key"),)),),
        data=(Field("key", "Data key"),),
    )
    draft = Draft(name="x", type="twin", values={"key": "one", "data.KEY": "two"})
    assert fit_draft(kind, draft, {}).entered.values == {("parameters", "key"): "one", ("data", "key"): "two"}


def test_a_field_is_required_only_with_the_value_that_it_goes_with() -> None:
    kind = ConnectionType(
        "Cloud",
        "Cloud",
        url=Url(entered=False),
        data=(
            Field("level", "Level", kind="choice", choices=("one", "All"), default="one"),
            Field("Name", "Name", required=True, when=("Level", "ONE")),
        ),
    )
    with pytest.raises(ConnectionInvalidError, match="Name"):
        fit(kind, "", "", Entered())
    assert fit(kind, "", "", Entered(values={("data", "level"): "all"})).entered.values["data", "level"] == "All"


def test_the_url_goes_with_a_data_value_and_is_entered_with_others() -> None:
    url = Url(chosen_by="cloud", by_value=(("public", "https://a.example/"), ("state", "https://b.example/")))
    kind = ConnectionType("Cloud", "Cloud", url=url, data=(Field("cloud", "Cloud", default="public"),))

    def fitted(cloud: str, url: str) -> str:
        return fit(kind, "", url, Entered(values={("data", "cloud"): cloud})).url

    assert fitted("", "") == "https://a.example/"
    assert fitted("State", "https://a.example/") == "https://b.example/", "the url of the value that was chosen before"
    assert fitted("own", "https://own.example/") == "https://own.example/"
    with pytest.raises(ConnectionInvalidError, match="is not entered"):
        fitted("public", "https://evil.example/")
    for left_over in ("", "https://a.example/"):
        with pytest.raises(ConnectionInvalidError, match=r"the url\) is required"):
            fitted("own", left_over)


def test_a_host_with_its_port_may_be_the_whole_address() -> None:
    rule = Url(label="Server Name", bare=True)
    assert fit_url(rule, "vmm.example.com:8100", {}) == "vmm.example.com:8100"
    assert fit_url(rule, "vmm", {}) == "vmm"
    for wrong in ("https://vmm.example.com", "vmm:port", "ada@vmm:8100", ":8100"):
        with pytest.raises(ConnectionInvalidError):
            fit_url(rule, wrong, {})
