from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sluice.plugin import CanceledError, Connection, Secret, TrustNeededError, VerificationError
from sluice.testing.ssh_host import SshHost
from sluice_ssh import verify
from sluice_ssh._host import open_host

PASSWORD = "pw-7d1f33"


@pytest.fixture(scope="module")
def host() -> Iterator[SshHost]:
    with SshHost(password=PASSWORD, forwarding=True) as running:
        yield running


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def speaking_port() -> Iterator[int]:
    """A port that answers as a web server does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            client, _ = listener.accept()
            with client:
                client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                while client.recv(1000):
                    pass

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(10)


def refusal(connection: Connection) -> str:
    with pytest.raises(VerificationError) as raised:
        verify(connection)
    assert PASSWORD not in str(raised.value)
    return str(raised.value)


def test_verifying_tells_host_user_method_server_and_key(host: SshHost) -> None:
    answer = verify(host.connection())
    assert f"127.0.0.1:{host.port} as deploy by password" in answer
    assert "server paramiko" in answer
    assert "host key ssh-ed25519 SHA256:" in answer


def test_an_unknown_host_key_asks_for_trust_before_the_password_is_sent(host: SshHost) -> None:
    with SshHost(password=PASSWORD) as unknown:
        with pytest.raises(TrustNeededError, match="sluice connection verify ssh-host"):
            verify(unknown.connection(HostKey=""))
        with pytest.raises(VerificationError, match="not the pinned one"):
            verify(unknown.connection(HostKey=host.host_key))
        unknown.stop()
        assert unknown.events == []


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"Host": "nowhere.invalid"}, "the host name 'nowhere.invalid' was not resolved"),
        ({"Host": "x" * 300}, "was not resolved"),
        ({"Port": "1"}, "refused the connection"),
        ({"Port": "99999"}, "'99999' is not a port number"),
        ({"Port": "ssh"}, "'ssh' is not a port number"),
        ({"HostKey": "nonsense"}, "is not a public key"),
        ({"JumpHost": "bastion"}, "the jump host 'bastion' was not opened"),
    ],
)
def test_each_reason_has_its_own_words(host: SshHost, data: dict[str, Any], text: str) -> None:
    assert text in refusal(host.connection(**data))


def test_a_wrong_password_is_told(host: SshHost) -> None:
    assert "the server refused the password for the user 'deploy'" in refusal(
        host.connection(secrets={"password": "wrong"})
    )


def test_a_connection_without_credentials_is_told(host: SshHost) -> None:
    assert "neither a private key nor a password" in refusal(host.connection(secrets={}))


def test_a_host_that_says_nothing_is_given_up_in_time(host: SshHost, silent_port: int) -> None:
    connection = host.connection(Port=str(silent_port))
    with pytest.raises(VerificationError, match="did not answer in time"), open_host(connection, seconds=0.3):
        pass


def test_connecting_ends_at_once_when_it_is_canceled(host: SshHost, silent_port: int) -> None:
    asked: list[Callable[[], None]] = []
    connection = host.connection(Port=str(silent_port))
    with socket.create_connection(("127.0.0.1", silent_port)):
        timer = threading.Timer(0.1, lambda: [cancel() for cancel in asked])
        timer.start()
        with (
            pytest.raises(CanceledError, match="canceled while connecting"),
            open_host(connection, seconds=60, on_cancel=asked.append),
        ):
            pass
        timer.join()


def test_a_connection_that_was_canceled_before_is_not_made(host: SshHost) -> None:
    with (
        pytest.raises(CanceledError),
        open_host(host.connection(), seconds=60, on_cancel=lambda cancel: cancel()),
    ):
        pass


def test_a_server_that_is_none_for_ssh_is_told(host: SshHost, speaking_port: int) -> None:
    assert "does not speak SSH" in refusal(host.connection(Port=str(speaking_port)))


def test_jump_hosts_in_a_circle_are_refused(host: SshHost) -> None:
    inner = host.connection("a")
    for name in ("b", "a"):
        inner = host.connection(name, JumpHost=inner)
    assert "go round in a circle" in refusal(inner)


def test_a_wrong_password_of_a_jump_host_names_the_hop(host: SshHost) -> None:
    jump = host.connection("bastion", secrets={"password": "wrong"})
    text = refusal(host.connection("target", JumpHost=jump))
    assert "jump host 'bastion' (hop 1 of 1): the server refused the password" in text


@pytest.fixture
def asking() -> Iterator[Callable[..., SshHost]]:
    hosts: list[SshHost] = []

    def start(*prompts: tuple[str, str]) -> SshHost:
        host = SshHost(prompts=prompts).__enter__()
        hosts.append(host)
        return host

    yield start
    for host in hosts:
        host.stop()


def ask(host: SshHost, **data: Any) -> Connection:
    return host.connection(secrets={"password": PASSWORD}, **data)


@pytest.mark.parametrize("prompt", ["Password: ", "Password:", "deploy's password: "])
def test_usual_questions_are_answered(asking: Callable[..., SshHost], prompt: str) -> None:
    assert "by keyboard-interactive" in verify(ask(asking((prompt, PASSWORD))))


@pytest.mark.parametrize("prompt", ["sudo: ", "[sudo] password for deploy: ", "root's password: ", "Password", ""])
def test_an_unexpected_question_gets_no_answer(asking: Callable[..., SshHost], prompt: str) -> None:
    host = asking((prompt, PASSWORD))
    assert "a question that may not be answered" in refusal(ask(host))
    host.stop()
    assert not [event for event in host.events if event["event"] == "answer"]


def test_a_question_is_answered_once(asking: Callable[..., SshHost]) -> None:
    host = asking(("Password: ", PASSWORD), ("Password: ", PASSWORD))
    assert "may not be answered" in refusal(ask(host))
    host.stop()
    assert len([event for event in host.events if event["event"] == "answer"]) == 1


def test_the_connection_says_which_questions_are_expected(asking: Callable[..., SshHost]) -> None:
    host = asking(("Code for deploy?", PASSWORD))
    assert "by keyboard-interactive" in verify(ask(host, KeyboardInteractivePrompts="Code for {username}?"))


def test_a_wrong_answer_is_a_wrong_password(asking: Callable[..., SshHost]) -> None:
    assert "the server refused the password" in refusal(ask(asking(("Password: ", "another"))))


def test_keyboard_interactive_can_be_preferred() -> None:
    with SshHost(password=PASSWORD, prompts=[("Password: ", PASSWORD)]) as host:
        with open_host(host.connection(), seconds=10) as opened:
            assert opened.method == "password"
        with open_host(host.connection(), seconds=10, keyboard=True) as opened:
            assert opened.method == "keyboard-interactive"


def test_a_secret_in_the_wrong_place_is_not_shown(host: SshHost) -> None:
    connection = Connection(
        id="1",
        name="odd",
        type="ssh",
        parameters={"username": "deploy", "password": Secret(PASSWORD)},
        data={"Host": "127.0.0.1", "Port": str(host.port), "HostKey": host.host_key, "PrivateKey": Secret(PASSWORD)},
    )
    assert "format of the private key was not understood" in refusal(connection)
