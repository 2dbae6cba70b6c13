"""OpenVLA's REST protocol, byte by byte, against a server that speaks it."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files

import numpy as np
import pytest
import yaml

from vlabench.contract.negotiate import negotiate
from vlabench.errors import InfrastructureError, PolicyError, UsageError
from vlabench.policies import http
from vlabench.policies.openvla import OpenVla, decode_array, encode_array
from vlabench.testing import EXAMPLE_ENV, check_policy, example_observation
from vlabench.types import Observation

IMAGE = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
GOLDEN_IMAGE = '{"__numpy__": "AAECAwQFBgcICQoL", "dtype": "|u1", "shape": [2, 2, 3]}'
GOLDEN_REQUEST = f'{{"image": {GOLDEN_IMAGE}, "instruction": "open the top drawer"}}'.encode()
ACTION = np.array([0.25, -0.5, 0.0, 0.125, 0.0, -1.0, 0.99609375])
GOLDEN_ANSWER = (
    b'{"__numpy__":"AAAAAAAA0D8AAAAAAADgvwAAAAAAAAAAAAAAAAAAwD8AAAAAAAAAAAAAAAAAAPC/AAAAAADg7z8="'
    b',"dtype":"<f8","shape":[7]}'
)


class FakeOpenVla(ThreadingHTTPServer):
    """Answers every request with `status` and `answer`, and keeps what it was sent.

    `drops` connections are closed without an answer first.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status, self.answer, self.drops, self.requests = 200, GOLDEN_ANSWER, 0, []
        self.release = threading.Event()
        self.release.set()

    def handle_error(self, request, client_address):
        """A client that hung up is part of a test, and no news."""

    def close(self):
        self.server_close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, self.headers["Content-Type"], body))
        self.server.release.wait(10)
        if self.server.drops:
            self.server.drops -= 1
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.answer)))
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with closing(FakeOpenVla()) as fake:
        thread = threading.Thread(target=fake.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield fake
        fake.release.set()
        fake.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(http, "PAUSE_S", 0.001)


def see(image=IMAGE, instruction="open the top drawer"):
    return Observation("e", 0, 0.0, instruction, {"exterior/0": image}, {})


def test_the_request_and_the_answer_match_the_golden_bytes(server):
    (chunk,) = OpenVla(server.url).act([see()])
    assert server.requests == [("/act", "application/json", GOLDEN_REQUEST)]
    np.testing.assert_array_equal(chunk.actions, [ACTION])


def test_an_unnorm_key_travels_with_the_request(server):
    OpenVla(server.url, unnorm_key="libero_spatial").act([see()])
    assert json.loads(server.requests[0][2])["unnorm_key"] == "libero_spatial"


def test_the_doubly_encoded_form_goes_both_ways(server):
    server.answer = json.dumps(GOLDEN_ANSWER.decode()).encode()
    (chunk,) = OpenVla(server.url, double_encoded="true").act([see()])
    sent = json.loads(server.requests[0][2])
    assert list(sent) == ["encoded"]
    assert sent["encoded"].encode() == GOLDEN_REQUEST
    np.testing.assert_array_equal(chunk.actions, [ACTION])


def test_arrays_survive_the_wire():
    for array in (IMAGE, IMAGE[:, ::-1], ACTION, ACTION.astype(np.float32), np.zeros((0, 7))):
        np.testing.assert_array_equal(decode_array(encode_array(array)), array)
        assert decode_array(json.dumps(encode_array(array))).dtype == array.dtype


def test_the_policy_conforms_and_its_gripper_is_turned_round(server):
    pipeline = check_policy(OpenVla(server.url))
    (chunk,) = OpenVla(server.url).act([see()])
    expected = [0.25, -0.5, 0.0, 0.125, 0.0, -1.0, -1.0]
    np.testing.assert_array_equal(pipeline.to_env(chunk.actions), [np.float32(expected)])


def test_the_server_is_sent_the_prepared_image(server):
    policy = OpenVla(server.url)
    pipeline = negotiate(policy.spec(), EXAMPLE_ENV)
    seen = pipeline.to_policy(example_observation(pipeline, "e", 0))
    policy.act([seen])
    sent = decode_array(json.loads(server.requests[0][2])["image"])
    assert sent.shape == (224, 224, 3)
    np.testing.assert_array_equal(sent, seen.images["exterior/0"])


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        (b'"error"', "unnorm_key"),
        (b'{"error": "no"}', "no action"),
        (b"[0, 0]", "no action"),
        (b'"not json"', "no action"),
        (b'{"__numpy__": "AAA", "dtype": "<f8", "shape": [7]}', "no action"),
        (b'{"__numpy__": "AAAA", "dtype": "|O", "shape": [7]}', "no action"),
        (b'{"__numpy__": "AAAA", "dtype": "|u1", "shape": [7]}', "no action"),
        (json.dumps(encode_array(np.zeros(6))).encode(), "float64 (6,)"),
        (json.dumps(encode_array(np.zeros((1, 7)))).encode(), "float64 (1, 7)"),
        (json.dumps(encode_array(np.zeros(7, dtype=int))).encode(), "int64 (7,)"),
        (json.dumps(encode_array(np.full(7, np.nan))).encode(), "nan"),
    ],
)
def test_a_wrong_answer_is_the_policys_error(server, answer, part):
    server.answer = answer
    with pytest.raises(PolicyError) as caught:
        OpenVla(server.url).act([see()])
    assert part in str(caught.value)
    assert server.url in str(caught.value)
    assert len(server.requests) == 1


@pytest.mark.parametrize(("status", "answer"), [(500, b"oops"), (404, b"{}"), (200, b"<html>")])
def test_a_sick_server_is_an_infrastructure_error(server, status, answer):
    server.status, server.answer = status, answer
    with pytest.raises(InfrastructureError, match="openvla"):
        OpenVla(server.url).act([see()])
    assert len(server.requests) == 1


def test_a_connection_that_breaks_before_an_answer_is_tried_again(server):
    server.drops = 2
    OpenVla(server.url, attempts="3").act([see()])
    assert len(server.requests) == 3


def test_a_server_that_keeps_breaking_off_is_given_up(server):
    server.drops = 5
    with pytest.raises(InfrastructureError, match="attempts: 2"):
        OpenVla(server.url, attempts="2").act([see()])
    assert len(server.requests) == 2


def test_a_dead_server_is_an_infrastructure_error():
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    with pytest.raises(InfrastructureError, match=f"127.0.0.1:{port}"):
        OpenVla(f"http://127.0.0.1:{port}").act([see()])


def test_a_server_that_is_too_slow_is_not_asked_again(server):
    server.release.clear()
    with pytest.raises(InfrastructureError, match="took too long"):
        OpenVla(server.url, timeout_s="0.2").act([see()])
    assert len(server.requests) <= 1


@pytest.mark.parametrize("url", ["", None])
def test_without_a_url_it_says_what_to_start_and_what_to_give(url):
    with pytest.raises(UsageError) as caught:
        OpenVla(url)
    for part in ("deploy.py", "url=http://127.0.0.1:8000", "unnorm_key"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({"url": "127.0.0.1:8000"}, "no http or https address"),
        ({"url": "file:///etc/passwd"}, "no http or https address"),
        ({"url": "http://"}, "no http or https address"),
        ({"url": "http://host:port"}, "no http or https address"),
        ({"url": "http://me:secret@host"}, "no http or https address"),
        ({"url": "http://host/a b"}, "no http or https address"),
        ({"url": 8000}, "no http or https address"),
        ({"url": "http://host", "timeout_s": "soon"}, "timeout_s=soon"),
        ({"url": "http://host", "connect_timeout_s": 0}, "connect_timeout_s=0"),
        ({"url": "http://host", "attempts": "0"}, "attempts=0"),
        ({"url": "http://host", "double_encoded": "2"}, "double_encoded=2"),
        ({"url": "http://host", "card": "nowhere.yaml"}, "nowhere.yaml"),
    ],
)
def test_a_wrong_argument_is_a_usage_error(arguments, part):
    with pytest.raises(UsageError) as caught:
        OpenVla(**arguments)
    assert part in str(caught.value)


def test_a_url_may_name_the_endpoint_or_a_folder_above_it(server):
    for url in (server.url + "/", server.url + "/act", server.url + "/vla"):
        OpenVla(url).act([see()])
    assert [path for path, _, _ in server.requests] == ["/act", "/act", "/vla/act"]


def test_a_revision_is_declared_and_not_sent(server):
    policy = OpenVla(server.url, revision="openvla-7b-finetuned-libero-goal@1234")
    assert policy.spec().revision == "openvla-7b-finetuned-libero-goal@1234"
    assert OpenVla(server.url).spec().revision == ""
    policy.act([see()])
    assert server.requests[0][2] == GOLDEN_REQUEST


def test_another_card_changes_the_declaration(tmp_path):
    packaged = (files("vlabench.policies") / "cards" / "openvla.yaml").read_text(encoding="utf-8")
    card = yaml.safe_load(packaged)
    card["control_hz"] = 5.0
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(card))
    spec = OpenVla("http://host", card=str(tmp_path / "mine.yaml")).spec()
    assert spec.control_hz == 5.0
    card["cameras"] *= 2
    (tmp_path / "two.yaml").write_text(yaml.safe_dump(card))
    with pytest.raises(UsageError, match="2 cameras"):
        OpenVla("http://host", card=str(tmp_path / "two.yaml"))
