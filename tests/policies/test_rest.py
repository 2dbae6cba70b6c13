"""What adapters of REST servers share: one request for each observation, over HTTP."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress

import numpy as np
import pytest
from fake_rest import dead_port, render, serving

from vlabench.errors import InfrastructureError, PolicyError, UsageError
from vlabench.policies.http import JsonServer
from vlabench.policies.json_numpy import decode_array, encode_array
from vlabench.policies.oft import OpenVlaOft
from vlabench.policies.openvla import OpenVla
from vlabench.types import Observation

IMAGE = np.zeros((2, 2, 3), dtype=np.uint8)
ROWS = {OpenVla: np.zeros(7), OpenVlaOft: [np.zeros(7)] * 8}
"""What a server answers to each."""


@pytest.fixture(params=list(ROWS), ids=lambda kind: kind.name)
def kind(request):
    return request.param


@pytest.fixture
def server(kind):
    with serving(render(ROWS[kind])) as fake:
        yield fake


def see():
    images = {"exterior/0": IMAGE, "wrist/0": IMAGE}
    return Observation("e", 0, 0.0, "open the top drawer", images, {}, state=np.zeros(8))


# --- the policies -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "answer"), [(503, b"busy"), (404, b"{}"), (200, b"<html>"), (200, b"[" * 100_000)]
)
def test_a_sick_server_is_an_infrastructure_error(kind, server, status, answer):
    server.status, server.answer = status, answer
    with pytest.raises(InfrastructureError, match=repr(kind.name)):
        kind(server.url).act([see()])
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [500, 422])
def test_a_server_that_could_not_do_it_has_erred_itself(kind, server, status):
    server.status, server.answer = status, b"Internal Server Error"
    with pytest.raises(PolicyError, match=f"reported HTTP {status} .'Internal Server Error'"):
        kind(server.url).act([see()])


def test_an_array_says_its_whole_shape():
    array = encode_array(np.zeros(7))
    assert decode_array(array | {"shape": [7]}) is not None
    for shape in ([-1], ["7"], 7, [7.0], [2, -1]):
        assert decode_array(array | {"shape": shape}) is None


def test_a_connection_that_breaks_before_an_answer_is_tried_again(kind, server):
    server.drops = 2
    kind(server.url, attempts="3").act([see()])
    assert len(server.requests) == 3


def test_a_server_that_keeps_breaking_off_is_given_up(kind, server):
    server.drops = 5
    with pytest.raises(InfrastructureError, match=r"closes without an answer \(.*attempts: 2"):
        kind(server.url, attempts="2").act([see()])
    assert len(server.requests) == 2


def test_a_dead_server_is_an_infrastructure_error(kind):
    port = dead_port()
    with pytest.raises(InfrastructureError, match=f"127.0.0.1:{port}"):
        kind(f"http://127.0.0.1:{port}").act([see()])


def test_a_server_that_is_too_slow_is_not_asked_again(kind, server):
    server.release.clear()
    with pytest.raises(InfrastructureError, match="took too long"):
        kind(server.url, timeout_s="0.2").act([see()])
    assert len(server.requests) <= 1


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({"url": "127.0.0.1:8000"}, "no http or https address"),
        ({"url": "file:///etc/passwd"}, "no http or https address"),
        ({"url": "http://"}, "no http or https address"),
        ({"url": "http://host:port"}, "no http or https address"),
        ({"url": "http://me:secret@host"}, "more in it than the http or https address"),
        ({"url": "http://:secret@host"}, "more in it than the http or https address"),
        ({"url": "http://me:secret@host:port"}, "more in it than the http or https address"),
        ({"url": "http://host/?key=secret"}, "more in it than the http or https address"),
        ({"url": "http://host/#secret"}, "more in it than the http or https address"),
        ({"url": "http://host/a b"}, "no http or https address"),
        ({"url": 8000}, "no http or https address"),
        ({"url": "http://host", "timeout_s": "soon"}, "timeout_s=soon"),
        ({"url": "http://host", "connect_timeout_s": 0}, "connect_timeout_s=0"),
        ({"url": "http://host", "attempts": "0"}, "attempts=0"),
        ({"url": "http://host", "double_encoded": "2"}, "double_encoded=2"),
        ({"url": "http://host", "card": "nowhere.yaml"}, "nowhere.yaml"),
    ],
)
def test_a_wrong_argument_is_a_usage_error(kind, arguments, part):
    with pytest.raises(UsageError) as caught:
        kind(**arguments)
    assert part in str(caught.value)
    assert "secret" not in str(caught.value)


# --- the line -----------------------------------------------------------------------------------


HEAD = b"HTTP/1.1 200 OK\r\n"


@contextmanager
def answering(*pieces, pause_s=0.0):
    """The url of a server that answers one request with `pieces`, one after each pause."""
    over = threading.Event()

    def serve():
        with suppress(OSError), found.accept()[0] as line:
            line.recv(100_000)
            for piece in pieces:
                over.wait(pause_s)
                line.sendall(piece)
            line.shutdown(socket.SHUT_WR)
            while line.recv(100_000):
                """Closing with something unread would reset the connection."""

    with socket.create_server(("127.0.0.1", 0)) as found:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{found.getsockname()[1]}"
        over.set()
        thread.join()


def posted(url, **options):
    usual = {"connect_timeout_s": 2.0, "timeout_s": 5.0, "attempts": 1}
    return JsonServer("mine", url, "/act", **{**usual, **options}).post({})


@pytest.mark.parametrize(
    "pieces",
    [
        [HEAD + b"\r\n", *[b"1"] * 40],
        [HEAD + b"Content-Length: 40\r\n\r\n", *[b"1"] * 40],
        [HEAD, *[b"X: 1\r\n"] * 40, b"\r\n1"],
    ],
    ids=["body", "body-of-a-known-length", "head"],
)
def test_a_server_that_never_stops_dripping_is_given_up(pieces):
    with (
        answering(*pieces, pause_s=0.05) as url,
        pytest.raises(InfrastructureError, match=r"took too long \(over 0\.3 s\)"),
    ):
        posted(url, timeout_s=0.3)


def test_an_answer_in_pieces_is_whole_in_the_end():
    with answering(HEAD, b"\r\n", b"[1, ", b"2]", pause_s=0.02) as url:
        assert posted(url) == [1, 2]


def test_an_answer_that_ends_too_early_is_no_answer():
    with (
        answering(HEAD + b"Content-Length: 9\r\n\r\n12345") as url,
        pytest.raises(InfrastructureError, match=r"broke off its answer.*4 more expected"),
    ):
        posted(url)


def test_an_answer_has_a_limit():
    whole = HEAD + b"Content-Length: 1000\r\n\r\n" + b"1" * 1000
    with answering(whole) as url:
        assert posted(url, max_bytes=1000) == int("1" * 1000)
    with answering(whole) as url, pytest.raises(InfrastructureError, match="more than 999 bytes"):
        posted(url, max_bytes=999)
    endless = [HEAD + b"\r\n", *[b"1" * 100] * 40]
    with answering(*endless) as url, pytest.raises(InfrastructureError, match="more than 1000"):
        posted(url, max_bytes=1000)
