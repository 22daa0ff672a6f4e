"""Every page for everybody: axe finds nothing serious, in both themes and on a phone; nothing breaks the content policy."""

from __future__ import annotations

import json

import pytest
from tests.real.chromium.conftest import Browser, OpenBrowser, Served

pytestmark = pytest.mark.real

HOME = "/local/default"
WAITS = """
stages:
- stage: Build
  jobs:
  - job: Compile
    steps:
    - checkout: none
    - script: |
        echo "##[warning]careful"
        echo "##vso[task.logissue type=error]something odd"
      displayName: Compile everything
- stage: Deploy
  jobs:
  - job: Copy
    steps:
    - checkout: none
    - task: CopyFilesOverSSH@0
      inputs: {sshEndpoint: web1, contents: '*.yml', targetFolder: /tmp/x}
- stage: Production
  dependsOn: Build
  jobs:
  - deployment: Web
    environment: production
    strategy: {runOnce: {deploy: {steps: [{script: echo deployed}]}}}
"""


def _pages(served: Served) -> list[tuple[str, str]]:
    """An installation with something of everything, and the pages about it."""
    new = ("connection", "create", "web1", "--type", "ssh", "--set", "Host=web1.example", "--set", "username=deploy")
    served.sluice(*new, "--secret", "password=-", "--expires", "2027-01-01", given="correct-horse-7")
    served.sluice("environment", "create", "production", "--allow-all-pipelines")
    served.sluice("environment", "add-resource", "production", "web-1", "--type", "VirtualMachine", "--tag", "web")
    owner = json.loads(served.sluice("whoami", "--output", "json"))["name"]
    served.sluice("check", "add", "approval", "--environment", "production", "--approver", owner)
    served.sluice(
        "variable-group", "create", "settings", "--set", "region=north", "--secret", "token=-", given="tok-123456"
    )
    served.pipeline(WAITS)
    served.sluice("run", "--non-interactive", "release/azure-pipelines.yml")

    def identifier(*command: str) -> str:
        return str(json.loads(served.sluice(*command, "--output", "json"))["id"])

    connection = identifier("connection", "show", "web1")
    environment = identifier("environment", "show", "production")
    group = identifier("variable-group", "show", "settings")
    settings = f"{HOME}/_settings/adminservices"
    about = f"{HOME}/_resources/endpoint/{connection}"
    return [
        ("projects", "/"),
        ("runs", f"{HOME}/_build"),
        ("run", f"{HOME}/_build/results?buildId=1"),
        ("review", f"{HOME}/_build/results?buildId=1&review=1"),
        ("approvals", f"{HOME}/_approvals"),
        ("connections", settings),
        ("gallery", f"{settings}/new"),
        ("form", f"{settings}/new/ssh"),
        ("form-several", f"{settings}/new/kubernetes"),
        ("connection", f"{settings}/{connection}"),
        ("connection-edit", f"{settings}/{connection}/edit"),
        ("connection-delete", f"{settings}/{connection}/delete"),
        ("connection-history", f"{about}/history"),
        ("connection-checks", f"{about}/checks"),
        ("connection-check", f"{about}/checks/new/approval"),
        ("connection-security", f"{about}/security"),
        ("hub-security", f"{HOME}/_security/endpoint"),
        ("environments", f"{HOME}/_environments"),
        ("environment", f"{HOME}/_environments/{environment}"),
        ("library", f"{HOME}/_library"),
        ("group", f"{HOME}/_library/groups/{group}"),
        ("group-edit", f"{HOME}/_library/groups/{group}/edit"),
        ("secure-files", f"{HOME}/_library?view=files"),
        ("audit", f"{HOME}/_settings/audit?verify=1"),
        ("nothing", f"{HOME}/_build/results?buildId=99"),
    ]


def _serious(browser: Browser, options: str = "{}") -> list[str]:
    found = browser.driver.execute_async_script(
        f"const done = arguments[0]; axe.run({options}).then((result) => done(result.violations), "
        "(error) => done([{id: String(error), impact: 'critical', nodes: []}]))"
    )
    return [
        f"{one['id']}: {one['nodes'][0]['html'] if one['nodes'] else ''}"
        for one in found
        if one["impact"] in {"serious", "critical"}
    ]


@pytest.mark.timeout(400)
def test_axe_finds_nothing_serious_anywhere(open_browser: OpenBrowser, served: Served, axe: str) -> None:
    browser = open_browser()
    problems: list[str] = []
    for name, path in _pages(served):
        browser.size(1360)
        browser.colours("light")
        browser.open(path)
        browser.find("main")
        if name == "run":
            browser.reads("Finishing")
        browser.run(axe)
        problems += [f"{name}: {one}" for one in _serious(browser)]
        browser.keep(f"page-{name}")
        browser.colours("dark")
        problems += [f"{name} (dark): {one}" for one in _serious(browser, "{runOnly: ['color-contrast']}")]
        browser.keep(f"page-{name}-dark")
        browser.size(390, 844)
        if browser.run("return document.documentElement.scrollWidth > innerWidth + 1"):
            problems.append(f"{name}: the page is wider than a phone")
        browser.keep(f"page-{name}-phone")
    assert problems == []
