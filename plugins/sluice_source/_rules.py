"""How connections of each type open repositories: addresses and log-ins, put together without asking anybody."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from sluice.plugin import Connection, Login, RepositoryRule, SluiceError, SourceRepository

GITHUB_HOST = "github.com"
BITBUCKET_API = "api.bitbucket.org"
BITBUCKET_HOST = "bitbucket.org"


def segments(repository: SourceRepository, *, least: int = 1, most: int = 8) -> list[str]:
    """The parts of a repository's name; raises `SluiceError` for a name that cannot be one."""
    parts = repository.name.strip().strip("/").split("/")
    odd = any(part in {"", ".", ".."} or part.startswith("-") or not part.isprintable() for part in parts)
    if odd or "\\" in repository.name or not least <= len(parts) <= most:
        wanted = "owner/repository" if least == 2 else "project/repository"
        raise SluiceError(
            f"'{repository.name}' is no name of a repository of type '{repository.type}'",
            do=f"write 'name: {wanted}'",
        )
    return parts


def _below(base: str, parts: list[str]) -> str:
    return "/".join([base.rstrip("/"), *(quote(part, safe="") for part in parts)])


def _owned(base: str, repository: SourceRepository) -> str:
    owner, name = segments(repository, least=2, most=2)
    return _below(base, [owner, name.removesuffix(".git") + ".git"])


def _github_url(repository: SourceRepository, connection: Connection) -> str:
    return _owned(connection.url or f"https://{GITHUB_HOST}", repository)


def _github_public(repository: SourceRepository) -> str:
    return _owned(f"https://{GITHUB_HOST}", repository)


def _bitbucket_url(repository: SourceRepository, connection: Connection) -> str:
    base = urlsplit(connection.url or f"https://{BITBUCKET_API}/")
    host = BITBUCKET_HOST if base.hostname == BITBUCKET_API else base.netloc
    return _owned(f"{base.scheme}://{host}", repository)


def _bitbucket_public(repository: SourceRepository) -> str:
    return _owned(f"https://{BITBUCKET_HOST}", repository)


def _tfs_url(repository: SourceRepository, connection: Connection) -> str:
    """`project/repository`, or just the project when its repository has the same name."""
    parts = segments(repository, most=2)
    return _below(connection.url, [parts[0], "_git", parts[-1]])


def _git_url(repository: SourceRepository, connection: Connection) -> str:
    """The connection's own repository; a name that is not its end lies below it."""
    url = without_user(connection.url)
    path = urlsplit(url).path.rstrip("/")
    name = "/".join(segments(repository)) if repository.name.strip() else ""
    if not name or f"{path.removesuffix('.git')}/".casefold().endswith(f"/{name.removesuffix('.git')}/".casefold()):
        return url
    return _below(url, segments(repository))


def without_user(url: str) -> str:
    """An address of SSH without the user in it: `ssh://git@host/path` is written out of habit."""
    parts = urlsplit(url)
    if parts.scheme != "ssh" or parts.username is None:
        return url
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _git_login(connection: Connection) -> Login:
    if connection.scheme.casefold() != "privatekey":
        return _plain_login(connection)
    from sluice_source._ssh_key import account, open_key, pinned

    return Login(username=account(connection), key=open_key(connection), host_keys=pinned(connection))


def _svn_url(repository: SourceRepository, connection: Connection) -> str:
    return _below(connection.url, segments(repository)) if repository.name.strip() else connection.url


def _github_login(connection: Connection) -> Login:
    """A token under whatever key its scheme has it, or a user name with a password."""
    trusting = connection.text("acceptUntrustedCerts") == "true"
    for key in ("InstallationAccessToken", "AccessToken", "apitoken"):
        if token := connection.secret(key):
            return Login(username="x-access-token", password=token, trust_any_certificate=trusting)
    return Login(
        username=connection.text("username"), password=connection.secret("password"), trust_any_certificate=trusting
    )


def _bitbucket_login(connection: Connection) -> Login:
    if token := connection.secret("AccessToken"):
        return Login(username="x-token-auth", password=token)
    if token := connection.secret("apitoken"):
        return Login(username="x-bitbucket-api-token-auth", password=token)
    return Login(username=connection.text("username"), password=connection.secret("password"))


def _tfs_login(connection: Connection) -> Login:
    if token := connection.secret("apitoken"):
        return Login(username="token", password=token)
    return Login(username=connection.text("username"), password=connection.secret("password"))


def _plain_login(connection: Connection) -> Login:
    return Login(
        username=connection.text("username"),
        password=connection.secret("password"),
        trust_any_certificate=connection.text("acceptUntrustedCerts") == "true",
    )


RULES = {
    "github": RepositoryRule(
        types=("github",), url=_github_url, login=_github_login, public=_github_public, provider="GitHub"
    ),
    "githubenterprise": RepositoryRule(
        types=("githubenterprise",), url=_github_url, login=_github_login, provider="GitHubEnterprise"
    ),
    "bitbucket": RepositoryRule(
        types=("bitbucket",), url=_bitbucket_url, login=_bitbucket_login, public=_bitbucket_public, provider="Bitbucket"
    ),
    "externaltfs": RepositoryRule(types=("git", "tfsgit"), url=_tfs_url, login=_tfs_login, provider="TfsGit"),
    "git": RepositoryRule(types=("git",), url=_git_url, login=_git_login),
    "subversion": RepositoryRule(types=("svn",), url=_svn_url, login=_plain_login, tool="svn", provider="Svn"),
}
"""By connection type."""
