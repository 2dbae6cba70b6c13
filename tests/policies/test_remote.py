"""The client of the protocol ``remote``, against servers that do as they should and otherwise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import yaml
from fake_remote import SILENCE, FakeRemote, well
from fake_websocket import HANG_UP

from vlabench.contract import protocol
from vlabench.contract.negotiate import negotiate
from vlabench.contract.protocol import Act, Actions, Done, End, Failure, Hello, Reset
from vlabench.contract.specs import PolicySpec
from vlabench.contract.wire import WireError, encode, policy_spec_to_wire, to_wire
from vlabench.errors import ContractError, InfrastructureError, PolicyError, UsageError
from vlabench.policies.card import packaged_card
from vlabench.policies.remote import Remote
from vlabench.testing import EXAMPLE_ENV, check_policy
from vlabench.types import ActionChunk, EpisodeStart, Observation

START = EpisodeStart("e", 7, "lift", EXAMPLE_ENV)
GOLDEN_END = b"\x83\xa4type\xa3end\xa7request\x03\xabepisode_ids\x91\xa1e"
GOLDEN_DONE = b"\x82\xa4type\xa4done\xa7request\x03"
GOLDEN_FAILURE = b"\x84\xa4type\xa7failure\xa7request\xc0\xa4kind\xa6policy\xa4text\xa2no"
GOLDEN_ACT = (
    b"\x83\xa4type\xa3act\xa7request\x02\xacobservations\x91"
    b"\x89\xaaepisode_id\xa1e\xa4step\x03\xa6time_s\xcb?\xc3333333\xabinstruction\xa4lift"
    b"\xa6images\x81\xaaexterior/0\x83\xab__ndarray__\xa3|u1\xa5shape\x93\x01\x01\x03\xa4data"
    b"\xc4\x03\x01\x02\x03"
    b"\xa7proprio\x80\xaaprivileged\xc0"
    b"\xa5state\x83\xab__ndarray__\xa3<f8\xa5shape\x91\x01\xa4data\xc4\x08\x00\x00\x00\x00\x00\x00"
    b"\xe0?\xablast_action\xc0"
)


def see(episode_id="e", **more):
    return Observation(episode_id, 3, 0.15, "lift", {}, {}, **more)


@pytest.fixture
def fake():
    with FakeRemote() as server:
        yield server


def begun(fake, **arguments):
    policy = Remote(fake.url, **arguments)
    policy.reset([START])
    return policy


def test_the_frames_match_the_golden_bytes():
    image = np.array([[[1, 2, 3]]], dtype=np.uint8)
    seen = replace(see(state=np.array([0.5])), images={"exterior/0": image})
    for frame, golden in (
        (Act(2, (seen,)), GOLDEN_ACT),
        (End(3, ("e",)), GOLDEN_END),
        (Done(3), GOLDEN_DONE),
        (Failure(None, "policy", "no"), GOLDEN_FAILURE),
    ):
        assert protocol.write(frame) == golden
        assert protocol.write(protocol.read(golden)) == golden


def test_every_frame_survives():
    spec = PolicySpec("p", max_batch=3)
    for frame in (
        Hello(protocol.VERSION, "s", spec),
        Reset(1, (START,)),
        Actions(2, (ActionChunk(np.zeros((1, 7)), extras={"subtask": "reach"}),)),
    ):
        assert repr(protocol.read(protocol.write(frame))) == repr(frame)


def test_a_session_from_its_beginning_to_its_end(fake):
    policy = begun(fake)
    assert policy.spec() == fake.spec
    (chunk,) = policy.act([see()])
    assert (chunk.actions.shape, chunk.infer_ms, chunk.batch_size) == ((1, 7), 1.0, 1)
    policy.end(["e"])
    policy.close()
    assert [type(request) for request in fake.requests] == [Reset, Act, End]
    assert fake.requests[0].starts == (START,)
    assert fake.connections == 1


def test_it_conforms(fake):
    check_policy(begun(fake))


def test_a_batch_is_one_request(fake):
    policy = begun(fake)
    policy.reset([replace(START, episode_id="f")])
    chunks = policy.act([see("e"), see("f")])
    assert [chunk.batch_size for chunk in chunks] == [2, 2]
    assert [seen.episode_id for seen in fake.requests[-1].observations] == ["e", "f"]


def test_without_a_url_it_says_what_to_start():
    with pytest.raises(UsageError, match=r"vlabench serve.*url=ws://"):
        Remote()


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ({"url": "127.0.0.1:8000"}, "no address of a websocket"),
        ({"url": "http://127.0.0.1:8000"}, "no address of a websocket"),
        ({"url": "ws://host", "timeout_s": "soon"}, "timeout_s=soon"),
        ({"url": "ws://host", "connect_timeout_s": 0}, "connect_timeout_s=0"),
        ({"url": "ws://host", "attempts": 0}, "attempts=0"),
        ({"url": "ws://host", "token_env": "VLABENCH_UNSET"}, "VLABENCH_UNSET holds no API key"),
    ],
)
def test_a_wrong_argument_is_a_usage_error(arguments, part):
    with pytest.raises(UsageError) as caught:
        Remote(**arguments)
    assert part in str(caught.value)


def test_a_failure_of_the_policy_is_the_policys_word_for_word(fake):
    policy = begun(fake)
    fake.answer = lambda request: Failure(request.request, "policy", "ValueError: no idea")
    with pytest.raises(PolicyError, match=r"^ValueError: no idea$"):
        policy.act([see()])
    fake.answer = well
    policy.act([see()])
    assert fake.connections == 1


@pytest.mark.parametrize("kind", ["infrastructure", "protocol"])
def test_another_failure_is_no_failure_of_the_episode(fake, kind):
    policy = begun(fake)
    for number in (None, 2):
        fake.answer = lambda _, number=number: Failure(number, kind, "the model is gone")
        with pytest.raises(InfrastructureError, match="reports: the model is gone"):
            policy.act([see()])
        fake.answer = well
        policy.reset([START])
        policy = begun(fake)


def act_is(answer):
    return lambda request: answer if isinstance(request, Act) else well(request)


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        (HANG_UP, "closed the connection"),
        (b"\xc1", "no frame of the protocol"),
        (b"", "no frame of the protocol"),
        ("text", "binary"),
        (encode({"type": "surprise"}), "surprise"),
        (encode({"type": "actions", "request": 2}), "has no field 'chunks'"),
        (encode({"type": "actions", "request": 2, "chunks": [{}]}), "Actions.chunks.0 has no"),
        (encode([1]), "None"),
        (Done(2), "sent done"),
        (Done(9), "sent done"),
        (Actions(9, ()), "sent actions"),
        (Hello(protocol.VERSION, "s", PolicySpec("zeros")), "sent hello"),
        (End(2, ()), "sent end"),
    ],
)
def test_a_broken_server_is_an_infrastructure_error_and_the_episode_can_run_again(
    fake, answer, part
):
    policy = begun(fake)
    fake.answer = act_is(answer)
    with pytest.raises(InfrastructureError) as caught:
        policy.act([see()])
    assert part in str(caught.value)
    assert fake.url in str(caught.value)
    with pytest.raises(InfrastructureError, match="forgotten the session e"):
        policy.act([see()])
    fake.answer = well
    policy.end(["e"])
    policy.reset([START])
    assert len(policy.act([see()])) == 1
    assert fake.connections == 2


def test_a_server_that_hangs_is_given_up_after_a_while(fake):
    policy = begun(fake, timeout_s="0.2")
    fake.answer = act_is(SILENCE)
    with pytest.raises(InfrastructureError, match=r"not answered for 0.2 s; raise timeout_s"):
        policy.act([see()])


def test_too_few_answers_are_the_policys_error(fake):
    policy = begun(fake)
    fake.answer = lambda request: Actions(request.request, ())
    with pytest.raises(PolicyError, match="0 answers to 1 observations"):
        policy.act([see()])


@pytest.mark.parametrize(
    ("actions", "part"),
    [
        (np.full((1, 7), np.nan), "nan"),
        (np.zeros((1, 6)), "(1, 6)"),
        (np.zeros(7), "(7,)"),
        (np.zeros((1, 7), int), "int64"),
        (np.zeros((0, 7)), "(0, 7)"),
    ],
)
def test_a_wrong_answer_is_the_policys_error(fake, actions, part):
    policy = begun(fake)
    fake.answer = lambda request: Actions(request.request, (ActionChunk(actions),))
    (chunk,) = policy.act([see()])
    with pytest.raises(PolicyError) as caught:
        negotiate(policy.spec(), EXAMPLE_ENV).check(chunk.actions)
    assert part in str(caught.value)


def test_a_connection_that_died_between_episodes_is_replaced(fake):
    policy = begun(fake)
    policy.end(["e"])
    lost = iter([HANG_UP])
    fake.answer = lambda request: next(lost, None) or well(request)
    policy.reset([START])
    assert len(policy.act([see()])) == 1
    assert (fake.connections, fake.resets) == (2, 3)


def test_a_connection_that_dies_with_sessions_on_it_is_not(fake):
    policy = begun(fake)
    fake.answer = lambda _: HANG_UP
    with pytest.raises(InfrastructureError, match="closed the connection"):
        policy.reset([replace(START, episode_id="f")])
    assert fake.connections == 1


def test_a_session_ends_even_if_the_server_is_gone(fake):
    policy = begun(fake)
    fake.answer = lambda _: HANG_UP
    policy.end(["e"])
    policy.end(["e", "never"])


def test_another_policy_behind_the_same_address_is_refused(fake):
    policy = begun(fake)
    policy.close()
    fake.spec = replace(fake.spec, chunk_length=3, revision="another")
    with pytest.raises(InfrastructureError) as caught:
        policy.reset([START])
    for part in ("chunk_length is 1 in what it said before and 3", "revision is ''"):
        assert part in str(caught.value)


@pytest.mark.parametrize("answer", [HANG_UP, b"\xc1", "hello", Done(1)])
def test_a_server_that_does_not_say_hello_is_refused(fake, answer):
    fake.hello = answer
    with pytest.raises(InfrastructureError, match=fake.url):
        Remote(fake.url)


def test_another_version_of_the_protocol_is_named(fake):
    later = protocol.VERSION + 1
    fake.hello = encode({"type": "hello", "version": later, "greeting": "from the future"})
    with pytest.raises(InfrastructureError, match=f"version {later} of the protocol 'remote'"):
        Remote(fake.url)


def test_a_declaration_with_a_wrong_field_is_named(fake):
    spec = policy_spec_to_wire(fake.spec)
    spec["action"]["control"] = "telepathy"
    hello = {"type": "hello", "version": protocol.VERSION, "server": "s", "policy": spec}
    fake.hello = encode(hello)
    with pytest.raises(InfrastructureError, match=r"Hello\.policy\.action\.control is 'telepathy'"):
        Remote(fake.url)


def test_a_declaration_that_agrees_with_its_card_is_taken(fake, tmp_path):
    card = packaged_card("openvla-rest")
    fake.spec = replace(card.spec(), name="mine", revision="r")
    assert Remote(fake.url, card="openvla-rest").spec() == fake.spec
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(card.model_dump(mode="json", by_alias=True)))
    assert Remote(fake.url, card=str(path)).spec() == fake.spec


def test_a_declaration_that_differs_from_its_card_is_refused_with_both_sides(fake):
    spec = packaged_card("openvla-rest").spec()
    mirrored = replace(spec.cameras[0], mirrored=False)
    action = replace(spec.action, gripper_open=0.0, gripper_close=1.0)
    fake.spec = replace(spec, cameras=(mirrored,), action=action)
    with pytest.raises(ContractError) as caught:
        Remote(fake.url, card="openvla-rest")
    for part in (
        "mirrored is True in the card openvla-rest and False in the server at ws://",
        "action.gripper_open is 1.0 in the card openvla-rest and 0.0",
        "action.gripper_close is 0.0 in the card openvla-rest and 1.0",
    ):
        assert part in str(caught.value)


def test_a_frame_that_cannot_be_read_says_why():
    with pytest.raises(WireError, match="End has the unknown field 'episodes'"):
        protocol.read(encode({"type": "end", **to_wire(End(1, ())), "episodes": []}))
    assert protocol.request_number(encode({"type": "?", "request": 4})) == 4
    for data in (b"\xc1", "text", encode({"request": True}), encode([])):
        assert protocol.request_number(data) is None
