"""A policy's server goes away and comes back, or does not."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import msgpack
import pytest
import zmq
from fault_runs import THOROUGH, told

import vlabench
from vlabench.errors import InfrastructureError, InvalidRunError
from vlabench.policies import patience
from vlabench.policies.groot_wire import GrootServer
from vlabench.policies.http import JsonServer
from vlabench.store import Run

WORLD = "harness_fakes:FakeWorld"
AWAY_S = 20.0 if THOROUGH else 1.5


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as found:
        port: int = found.getsockname()[1]
    return port


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


class Served:
    """``vlabench serve`` in a process of its own, which another replaces after it has died."""

    def __init__(self, port: int, folder: Path, times: int, away_s: float | None) -> None:
        self._words = [
            *(sys.executable, "-m", "vlabench", "serve", "fault_fakes:FaultyPolicy"),
            *("--port", str(port), "--policy-arg", "way=killed"),
            *("--policy-arg", f"folder={folder}", "--policy-arg", f"times={times}"),
        ]
        self._away_s, self._stopping = away_s, threading.Event()
        self._process = self._started()
        self._thread = threading.Thread(target=self._replace)
        self._thread.start()

    def _started(self) -> subprocess.Popen[bytes]:
        quiet = subprocess.DEVNULL
        return subprocess.Popen(self._words, stdout=quiet, stderr=quiet, env=dict(os.environ))

    def _replace(self) -> None:
        while not self._stopping.is_set():
            self._process.wait()
            if self._stopping.is_set() or self._away_s is None:
                return
            self._stopping.wait(self._away_s)
            self._process = self._started()

    def stop(self) -> None:
        self._stopping.set()
        self._process.kill()
        self._thread.join()
        self._process.kill()
        self._process.wait()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., str]]:
    begun: list[Served] = []

    def do(times: int, away_s: float | None, port: int = 0) -> str:
        port, marks = port or free_port(), tmp_path / "marks"
        marks.mkdir(exist_ok=True)
        begun.append(Served(port, marks, times, away_s))
        until = time.monotonic() + 60
        while not listens(port):
            assert time.monotonic() < until
            time.sleep(0.05)
        return f"ws://127.0.0.1:{port}"

    yield do
    for served in begun:
        served.stop()


@pytest.fixture
def evaluate(suite_file: Path, tmp_path: Path) -> Callable[..., Run]:
    def do(folder: str, url: str, **args: Any) -> Run:
        return vlabench.evaluate(
            "remote",
            str(suite_file),
            policy_args={"url": url, "connect_timeout_s": 30, "attempts": 8, **args},
            world=WORLD,
            runner="serial",
            limit=None if args else 6,
            out=tmp_path / folder,
        )

    return do


def test_a_server_that_is_away_for_a_while_costs_the_attempts_that_it_was_serving(
    serve: Callable[..., str], evaluate: Callable[..., Run], tell: Callable[..., None]
) -> None:
    url = serve(1, AWAY_S)
    run = evaluate("run", url)
    assert run.valid
    assert len(run.attempts) == 1
    fault = f"the policy's server is killed and comes back after {AWAY_S:g} s"
    tell(fault, 1, told(evaluate("whole", url)), told(run))


def test_a_server_that_stays_away_ends_the_run_soon_and_it_resumes(
    serve: Callable[..., str],
    evaluate: Callable[..., Run],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    tell: Callable[..., None],
) -> None:
    url = serve(1, None)
    monkeypatch.setattr(patience, "PAUSE_S", 0.01)
    with pytest.raises(InvalidRunError, match="cannot be reached"):
        evaluate("run", url, away_s=1.0, attempts=2)
    stopped = Run.open(tmp_path / "run")
    assert len(stopped.attempts) == 30
    assert stopped.missing
    assert serve(0, None, int(url.rpartition(":")[2])) == url
    run = evaluate("run", url, away_s=1.0, attempts=2)
    assert run.attempts == stopped.attempts
    expected = told(evaluate("whole", url, away_s=1.0, attempts=2))
    tell("the policy's server stays away: the run stops, and resumes", 1, expected, told(run))


@contextmanager
def http_server(port: int, statuses: list[int]) -> Iterator[None]:
    """Answers ``{}``, each time with the next of `statuses`, and then with 200."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(statuses.pop(0) if statuses else 200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with HTTPServer(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def later(seconds: float, begin: Callable[[], Any]) -> threading.Timer:
    timer = threading.Timer(seconds, begin)
    timer.start()
    return timer


def json_server(port: int, away_s: float = 30.0) -> JsonServer:
    url = f"http://127.0.0.1:{port}"
    return JsonServer(
        "mine", url, "/act", connect_timeout_s=5, timeout_s=5, attempts=2, away_s=away_s
    )


def test_a_rest_server_that_is_away_costs_no_question() -> None:
    port = free_port()
    server = json_server(port)
    with http_server(port, []):
        assert server.post({}) == {}
    back = threading.Event()

    def again() -> None:
        with http_server(port, []):
            back.wait(60)

    thread = later(1.0, again)
    try:
        assert server.post({}) == {}
    finally:
        back.set()
        thread.join()


def test_a_proxy_that_says_that_the_server_is_away_is_asked_again() -> None:
    port = free_port()
    with http_server(port, [200, 503, 502, 503]):
        server = json_server(port)
        assert server.post({}) == {}
        assert server.post({}) == {}


def test_a_wrong_address_is_told_at_once() -> None:
    began = time.monotonic()
    with pytest.raises(InfrastructureError, match="attempts: 2"):
        json_server(free_port()).post({})
    assert time.monotonic() - began < 15


def test_a_server_that_is_waited_for_in_vain_is_not_waited_for_again() -> None:
    port = free_port()
    server = json_server(port, away_s=0.5)
    with http_server(port, []):
        server.post({})
    assert patience.is_known(server.url)
    with pytest.raises(InfrastructureError, match="cannot be reached"):
        server.post({})
    assert not patience.is_known(server.url)


@contextmanager
def zmq_server(port: int) -> Iterator[None]:
    """Answers every request with an empty map."""
    stopping = threading.Event()

    def talk() -> None:
        with zmq.Context() as context, context.socket(zmq.REP) as line:
            line.setsockopt(zmq.LINGER, 0)
            line.bind(f"tcp://127.0.0.1:{port}")
            while not stopping.is_set():
                if line.poll(20):
                    assert "endpoint" in msgpack.unpackb(line.recv())
                    line.send(msgpack.packb({}))

    thread = threading.Thread(target=talk)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def test_a_zmq_server_that_is_away_costs_one_question() -> None:
    port = free_port()
    server = GrootServer(
        "mine", f"tcp://127.0.0.1:{port}", connect_timeout_s=0.3, timeout_s=5, token="", away_s=30
    )
    with zmq_server(port):
        assert server.call("ping") == {}
    with pytest.raises(InfrastructureError, match=r"hung up|broke off"):
        server.call("ping")
    back = threading.Event()

    def again() -> None:
        with zmq_server(port):
            back.wait(60)

    thread = later(1.0, again)
    try:
        assert server.call("ping") == {}
    finally:
        back.set()
        thread.join()
        server.close()


def rest_answers(port: int, count: int | None, stopping: threading.Event) -> None:
    """Answers so many questions, or all until it is stopped."""
    with HTTPServer(("127.0.0.1", port), Empty) as server:
        server.timeout = 0.02
        while not stopping.is_set() and (count is None or Empty.answered < count):
            server.handle_request()


def zmq_answers(port: int, count: int | None, stopping: threading.Event) -> None:
    """The same over ZeroMQ."""
    answered = 0
    with zmq.Context() as context, context.socket(zmq.REP) as line:
        line.bind(f"tcp://127.0.0.1:{port}")
        while not stopping.is_set() and (count is None or answered < count):
            if line.poll(20):
                line.recv()
                line.send(msgpack.packb({}))
                answered += 1


class Empty(BaseHTTPRequestHandler):
    """Answers ``{}``, and counts."""

    answered = 0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")
        Empty.answered += 1

    def log_message(self, *_: object) -> None:
        """Says nothing."""


ANSWERS = {
    "RestPolicy": ("a REST server", "http", rest_answers, 0),
    "ZeroMqPolicy": ("a ZeroMQ server", "tcp", zmq_answers, 1),
}
QUESTIONS = 8
"""Answered before the server goes away: it is in the middle of an episode then."""


@pytest.mark.parametrize("policy", ANSWERS)
def test_a_server_that_is_asked_question_by_question_may_be_away(
    policy: str, suite_file: Path, tmp_path: Path, tell: Callable[..., None]
) -> None:
    name, scheme, answers, attempts = ANSWERS[policy]
    port, stopping = free_port(), threading.Event()

    def evaluate(folder: str) -> Run:
        return vlabench.evaluate(
            f"fault_fakes:{policy}",
            str(suite_file),
            policy_args={"url": f"{scheme}://127.0.0.1:{port}"},
            world=WORLD,
            runner="serial",
            limit=6,
            out=tmp_path / folder,
        )

    def lives() -> None:
        answers(port, QUESTIONS, stopping)
        stopping.wait(AWAY_S)
        answers(port, None, stopping)

    Empty.answered = 0
    thread = threading.Thread(target=lives)
    thread.start()
    try:
        run, whole = evaluate("run"), evaluate("whole")
    finally:
        stopping.set()
        thread.join()
    assert len(run.attempts) == attempts
    assert whole.attempts == []
    tell(f"{name} is away for {AWAY_S:g} s between two questions", 1, told(whole), told(run))
