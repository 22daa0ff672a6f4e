from __future__ import annotations

import json

import pytest
from tests.doubles.check_runs import evaluation, judged

from sluice.errors import SluiceError
from sluice.hooks.checks import ExtendedTemplate
from sluice_checks._types import REQUIRED_TEMPLATE as KIND

Place = tuple[str, str, str, str]


def required(*places: Place) -> dict[str, str]:
    keys = ("repositoryType", "repositoryName", "repositoryRef", "templatePath")
    return {"extendsChecks": json.dumps([dict(zip(keys, place, strict=True)) for place in places])}


def template(place: Place) -> ExtendedTemplate:
    kind, name, ref, path = place
    return ExtendedTemplate(repository_type=kind, repository_name=name, ref=ref, path=path)


SECURE = ("github", "octo/templates", "refs/heads/main", "secure/base.yml")


def test_the_pipeline_has_to_extend_the_template() -> None:
    assert KIND.evaluate(evaluation(KIND, required(SECURE), extends=(template(SECURE),))).outcome == "approved"
    decision = KIND.evaluate(evaluation(KIND, required(SECURE)))
    assert decision.outcome == "rejected"
    assert decision.message == (
        "the pipeline does not extend the required template secure/base.yml@octo/templates at refs/heads/main: "
        "it extends no template"
    )


def test_any_of_several_suffices_anywhere_in_the_chain() -> None:
    other = ("git", "ops/base", "refs/heads/main", "base.yml")
    chain = (template(("git", "default/app", "refs/heads/topic", "own.yml")), template(other))
    assert KIND.evaluate(evaluation(KIND, required(SECURE, other), extends=chain)).outcome == "approved"
    assert KIND.evaluate(evaluation(KIND, required(SECURE), extends=chain)).outcome == "rejected"


@pytest.mark.parametrize(
    ("listed", "found"),
    [
        (("azuregit", "Templates", "main", "/base.yml"), ("git", "default/templates", "refs/heads/main", "base.yml")),
        (("git", "Default/Templates", "refs/heads/main", "a\\base.yml"), ("git", "templates", "main", "a/./base.yml")),
        (
            ("GitHub", "Octo/Templates", "refs/tags/v1", "x/../base.yml"),
            ("github", "octo/templates", "refs/tags/v1", "base.yml"),
        ),
    ],
)
def test_places_are_compared_in_one_spelling(listed: Place, found: Place) -> None:
    assert KIND.evaluate(evaluation(KIND, required(listed), extends=(template(found),))).outcome == "approved"


@pytest.mark.parametrize(
    "found",
    [
        ("git", "octo/templates", "refs/heads/main", "secure/base.yml"),
        ("github", "evil/templates", "refs/heads/main", "secure/base.yml"),
        ("github", "octo/templates", "refs/heads/topic", "secure/base.yml"),
        ("github", "octo/templates", "refs/tags/main", "secure/base.yml"),
        ("github", "octo/templates", "", "secure/base.yml"),
        ("github", "octo/templates", "refs/heads/main", "Secure/base.yml"),
        ("github", "octo/templates", "refs/heads/main", "base.yml"),
    ],
)
def test_a_template_that_only_looks_like_it_is_another(found: Place) -> None:
    assert KIND.evaluate(evaluation(KIND, required(SECURE), extends=(template(found),))).outcome == "rejected"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("base.yml", "it is no JSON"),
        ("[" * 100_000, "it is no JSON"),
        ("{}", "no list of 1 to 100 templates"),
        ("[]", "no list of 1 to 100 templates"),
        ('["base.yml"]', "a template has no 'repositoryType'"),
        ('[{"repositoryType": "git"}]', "a template has no 'repositoryName'"),
        (required(("svn", "a", "main", "b"))["extendsChecks"], "there is no repository type 'svn'"),
    ],
)
def test_a_list_that_cannot_be_read_is_refused(text: str, said: str) -> None:
    (problem,) = judged(KIND, {"extendsChecks": text})
    assert said in problem
    with pytest.raises(SluiceError):
        KIND.evaluate(evaluation(KIND, {"extendsChecks": text}))


def test_a_list_in_order_has_no_problem() -> None:
    assert judged(KIND, required(SECURE)) == ()
