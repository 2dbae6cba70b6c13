"""The websocket that adapters share: what it sends, and what it says when it breaks."""

from __future__ import annotations

import http
import socket
import threading
from contextlib import closing

import pytest
from fake_websocket import running

from vlabench.errors import InfrastructureError, UsageError
from vlabench.policies.websocket import Connection, ConnectionLostError, authorization


def connection(url, **options):
    usual = {"connect_timeout_s": 2.0, "timeout_s": 2.0, "attempts": 2}
    return Connection("mine", url, **{**usual, **options})


def echo(peer):
    for data in peer:
        peer.send(data)


def test_frames_go_there_and_back_whole():
    with running(echo, max_size=None) as url, closing(connection(url)) as mine:
        assert not mine.connected
        for data in (b"", b"one", b"\0" * 5_000_000):
            mine.send(data)
            assert mine.receive() == data
        assert mine.connected


def test_it_asks_for_no_compression_and_shows_its_headers():
    seen = []

    def look(peer):
        seen.append(peer.request.headers)
        peer.send("text")

    with running(look) as url, closing(connection(url, headers={"X-Mine": "yes"})) as mine:
        mine.connect()
        assert mine.receive() == "text"
    assert seen[0]["X-Mine"] == "yes"
    assert "Sec-WebSocket-Extensions" not in seen[0]


def test_no_pings_are_sent_and_none_is_waited_for():
    with running(echo) as url, closing(connection(url)) as mine:
        mine.connect()
        assert mine._socket.ping_interval is None


def test_a_dead_server_is_tried_again_and_given_up():
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    with pytest.raises(InfrastructureError) as caught:
        connection(f"ws://127.0.0.1:{port}").connect()
    for part in ("'mine'", f"127.0.0.1:{port}", "refused", "attempts: 2", "see that it runs"):
        assert part in str(caught.value)


def test_a_server_that_comes_up_late_is_found(monkeypatch):
    with running(echo) as url, closing(connection(url, attempts=3)) as mine:
        opened, failures = mine._open, [OSError("not yet"), TimeoutError()]
        monkeypatch.setattr(mine, "_open", lambda: _fail(failures) or opened())
        mine.send(b"x")
        assert mine.receive() == b"x"


def _fail(failures):
    if failures:
        raise failures.pop()


def test_a_server_that_never_opens_the_websocket_is_given_up_in_time():
    with closing(socket.create_server(("127.0.0.1", 0))) as deaf:
        url = f"ws://127.0.0.1:{deaf.getsockname()[1]}"
        with pytest.raises(InfrastructureError, match=r"cannot be reached .*tim"):
            connection(url, connect_timeout_s=0.1, attempts=1).connect()


@pytest.mark.parametrize(
    ("status", "kind", "part"),
    [
        (http.HTTPStatus.UNAUTHORIZED, UsageError, "token_env=NAME"),
        (http.HTTPStatus.FORBIDDEN, UsageError, "HTTP 403"),
        (http.HTTPStatus.NOT_FOUND, InfrastructureError, "answers HTTP 404"),
    ],
)
def test_a_refusal_is_told_at_once(status, kind, part):
    asked = []

    def refuse(peer, request):
        asked.append(request)
        return peer.respond(status, "no\n")

    with running(echo, process_request=refuse) as url, pytest.raises(kind) as caught:
        connection(url).connect()
    assert part in str(caught.value)
    assert len(asked) == 1


@pytest.mark.parametrize(("code", "reason"), [(1011, "out of memory"), (1001, "stopping")])
def test_a_connection_that_closes_says_why(code, reason):
    with running(lambda peer: peer.close(code, reason)) as url:
        mine = connection(url)
        mine.connect()
        with pytest.raises(ConnectionLostError) as caught:
            mine.receive()
        assert str(code) in str(caught.value)
        assert reason in str(caught.value)
        assert not mine.connected
        with pytest.raises(ConnectionLostError, match="no connection"):
            mine.receive()


def test_silence_closes_the_connection():
    with running(lambda peer: peer.recv()) as url:
        mine = connection(url, timeout_s=0.1)
        mine.connect()
        with pytest.raises(InfrastructureError, match=r"0\.1 s; raise timeout_s"):
            mine.receive()
        assert not mine.connected


def test_a_server_that_reads_nothing_is_given_up_after_a_while():
    awake = threading.Event()
    options = {"max_queue": 1, "max_size": None, "close_timeout": 0.1}
    with running(lambda _: awake.wait(10), **options) as url:
        mine = connection(url, timeout_s=0.5)
        for _ in range(3):
            mine.send(b"small")
        with pytest.raises(InfrastructureError, match=r"read nothing for 0\.5 s; raise timeout_s"):
            mine.send(b"\0" * 50_000_000)
        assert not mine.connected
        awake.set()


def test_a_frame_has_a_limit():
    with running(lambda peer: peer.send(b"\0" * 2000)) as url:
        mine = connection(url, max_bytes=1000)
        mine.connect()
        with pytest.raises(ConnectionLostError, match="1009"):
            mine.receive()


@pytest.mark.parametrize(
    "url",
    ["", "host:8000", "http://host", "ws://", "ws://host:port", "ws://me:secret@host", "ws://a b"],
)
def test_a_wrong_address_is_a_usage_error(url):
    with pytest.raises(UsageError, match=r"ws://127\.0\.0\.1:8000"):
        connection(url)


@pytest.mark.parametrize(
    "url",
    [
        "ws://host/?key=secret",
        "ws://host?secret",
        "wss://host/path#secret",
        "ws://me:secret@host",
        "ws://:secret@host",
    ],
)
def test_what_may_be_a_secret_is_refused_and_not_repeated(url):
    with pytest.raises(UsageError, match="stand in every record") as caught:
        connection(url)
    assert "secret" not in str(caught.value)


def test_the_api_key_comes_from_the_environment_alone(monkeypatch):
    assert authorization("mine", "") == {}
    monkeypatch.setenv("VLABENCH_KEY", "sesame")
    assert authorization("mine", "VLABENCH_KEY") == {"Authorization": "Api-Key sesame"}
    for wrong in ("", "two words", "line\nbreak"):
        monkeypatch.setenv("VLABENCH_KEY", wrong)
        with pytest.raises(UsageError, match="VLABENCH_KEY holds no API key"):
            authorization("mine", "VLABENCH_KEY")
