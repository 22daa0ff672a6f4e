"""Evaluate artifact: a policy looks at the container images of the run."""

from __future__ import annotations

from sluice.plugin import CheckedArtifact, CheckRun, Decision, Proposed, SluiceError
from sluice_checks._policy import printable, read, told

_SHOWN = 5


def evaluate(run: CheckRun) -> Decision:
    """Passes when no rule of the policy names an error in the images, each of which is known by its digest."""
    policy = read(run.setting("policy"))
    images = [one for one in run.facts.artifacts if one.image]
    if loose := [one for one in images if not _digest(one)]:
        named = ", ".join(f"'{printable(one.image)}'" for one in loose[:_SHOWN])
        return Decision.rejected(
            f"which image it is cannot be told without a digest: {named}; write it with @sha256:..."
        )
    errors, count = told(policy, [_value(one) for one in images])
    if count:
        more = f"; and {count - _SHOWN} more" if count > _SHOWN else ""
        return Decision.rejected("; ".join(errors[:_SHOWN]) + more)
    return Decision.approved(
        f"the policy has nothing against {len(images)} container image{'' if len(images) == 1 else 's'}"
    )


def problems(proposed: Proposed) -> tuple[str, ...]:
    """Why the policy cannot be evaluated, or would pass everything."""
    text = proposed.settings.get("policy", "")
    try:
        told(read(text if isinstance(text, str) else ""), [])
    except SluiceError as error:
        return (f"policy: {error.what}" + (f"; {error.do}" if error.do else ""),)
    return ()


def full_name(image: str) -> str:
    """The image as an address: `nginx` is `docker.io/library/nginx`; a tag beside a digest is left out."""
    name, at, digest = image.partition("@")
    first, slash, _ = name.partition("/")
    if not slash:
        name = f"docker.io/library/{name}"
    elif not ({".", ":"} & set(first)) and first != "localhost":
        name = f"docker.io/{name}"
    if at:
        head, _, last = name.rpartition("/")
        name = f"{head}/{last.partition(':')[0]}"
    return f"https://{name}{at}{digest}"


def _digest(artifact: CheckedArtifact) -> str:
    return artifact.digest or artifact.image.partition("@")[2]


def _value(artifact: CheckedArtifact) -> dict[str, object]:
    """What a policy sees as one of `values`."""
    image = artifact.image if "@" in artifact.image else f"{artifact.image}@{artifact.digest}"
    uri = full_name(image)
    return {
        "image": {"resourceUri": uri, "alias": artifact.alias, "metadata": dict(artifact.metadata)},
        "build": {},
        "deployment": [],
    }
