"""What a policy is given in secret stands in no file, and the same command finds its run again."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import vlabench
from vlabench.cli.eval import parse_policy_args
from vlabench.errors import UsageError
from vlabench.evaluation import Plan, plan
from vlabench.export import export_episodes
from vlabench.pages import write_report
from vlabench.secrets import HIDDEN, Secrets, hide_arguments
from vlabench.store import Run

WORLD = "harness_fakes:FakeWorld"
CARELESS = "security_fakes:Careless"
KEY, PASSWORD, ELSEWHERE = "zq81-very-secret-key", "correct horse 17", "from-the-environment-5"


def planned(suite_file: Path, **args: object) -> Plan:
    return plan(CARELESS, str(suite_file), world=WORLD, policy_args={"way": "well", **args})


@pytest.mark.parametrize("way", ["error", "lost", "said"])
def test_no_file_of_a_run_has_a_secret(
    way: str, suite_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", ELSEWHERE)
    monkeypatch.setenv("HF_TOKEN", "hf_unrelatedUnrelated1234")
    folder = tmp_path / "run"
    args = {"way": way, "api_key": KEY, "password": PASSWORD, "key_env": "MY_KEY"}
    vlabench.evaluate(
        *(CARELESS, str(suite_file)),
        **{"world": WORLD, "policy_args": args, "limit": 1, "runner": "serial"},
        out=folder,
    )
    run = Run.open(folder)
    export_episodes(run, tmp_path / "episodes.parquet", "parquet")
    write_report([run], tmp_path / "report")
    texts = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for secret in (KEY, PASSWORD, ELSEWHERE, "hf_unrelatedUnrelated1234"):
        assert not [path for path, text in texts.items() if secret.encode() in text]
    told = {"error": "episodes.jsonl", "lost": "attempts.jsonl", "said": "episodes.jsonl"}[way]
    assert HIDDEN.encode() in texts[folder / told]  # so what told it did run
    assert run.info.policy.args["key_env"] == "MY_KEY"


def test_the_same_command_finds_its_run(suite_file: Path) -> None:
    folder = planned(suite_file, api_key=KEY).folder
    assert planned(suite_file, api_key=KEY).folder == folder
    assert planned(suite_file, api_key=f"{KEY}2").folder != folder
    one, two = (planned(suite_file, password=text).folder for text in ("first one", "second one"))
    assert one == two
    assert KEY not in str(folder)


def test_a_command_without_secrets_is_written_as_it_is(suite_file: Path) -> None:
    info = planned(suite_file, key_env="MY_KEY").info
    assert info.policy.args == {"way": "well", "key_env": "MY_KEY"}
    assert "--policy-arg way=well --policy-arg key_env=MY_KEY" in info.command
    assert HIDDEN in planned(suite_file, api_key=KEY).info.command


@pytest.mark.parametrize(
    "pair",
    [
        "token=abc",
        "apiKey=abc",
        "hf_token=abc",
        "openai-api-key=abc",
        "client_secret=abc",
        "password=123456",
        "db.passwd=abc",
        'headers={"Authorization": "abc"}',
        'servers=[{"api_key": "abc"}]',
        "anything=hf_abcdefghijklmnopqrst",
        "anything=sk-proj-abcdefghijklmnop",
        "anything=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
        "endpoint=https://ann:abc@example.org/act",
        "endpoint=https://example.org/act?version=2&token=abc",
        "endpoint=http://ann:x/abc@example.org/act",
        "endpoint=http://ann:x@abc@example.org/act",
        "api_key_1=abc",
        "token2=abc",
        "tokens=abc",
        "HFToken=abc",
        "hftoken=abc",
        "oauth2_token=abc",
        "replicate_token=abc",
        "mistral_key=abc",
        "jwt=abc",
        "db_pass=abc",
        "dbpassword=abc",
        "passcode=123456",
        "pin=123456",
        "anything=prefix-eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
        'anything={"hf_abcdefghijklmnopqrst": 1}',
    ],
)
def test_what_is_hidden(pair: str) -> None:
    told = str(hide_arguments(parse_policy_args([pair])))
    assert HIDDEN in told
    for secret in ("abc", "123456", "eyJ"):
        assert secret not in told
    assert ("version=2" in told) == ("version=2" in pair)


@pytest.mark.parametrize(
    "pair",
    [
        "unnorm_key=bridge_orig",
        "image_key=observation.images.top",
        "bos_token=<s>",
        "max_tokens=256",
        "token=5",
        "image_key_1=observation.images.top",
        "stop_tokens=</s>",
        "eosToken=</s>",
        "pad_token_2=<pad>",
        "key_1_name=a",
        "monkey=chimp",
        "forward_pass=2",
        "pin_memory=yes",
        "url=http://[::1]:8000/act/model@main",
        "url=http://127.0.0.1:8000/act/model@main",
        "token_env=MY_KEY",
        "keyframes=all",
        "tokenizer=google/paligemma",
        "password=",
        "note=the basic operation of the bearer",
        "url=ws://127.0.0.1:8000/act?chunk=8",
    ],
)
def test_what_is_not(pair: str) -> None:
    args = parse_policy_args([pair])
    assert hide_arguments(args) == args


def test_a_cut_text_has_no_beginning_of_a_secret() -> None:
    secrets = Secrets.of({"api_key": KEY, "n": 3})
    assert secrets.hide(f"401 for {KEY[:12]}") == f"401 for {HIDDEN}"
    assert secrets.hide("n is 3, zq8") == "n is 3, zq8"
    assert secrets.hide("Authorization: Bearer abcdef0123456789") == (
        f"Authorization: Bearer {HIDDEN}"
    )


def test_keys_of_maps_are_hidden_too() -> None:
    secrets = Secrets.of({"api_key": KEY, "token": f"{KEY}-2"})
    said = {f"asked with {KEY}": 1, f"asked with {KEY}-2": [{KEY: "x"}], "fine": 2}
    told = secrets.hide_in(said)
    assert KEY not in str(told)
    assert list(told.values()) == [1, [{HIDDEN: "x"}], 2]


LONG = {
    "headers": "bearer=",
    "beginnings of web tokens": "eyJaaaaaaaaa-",
    "parts of web tokens": "eyJaaaaaaaaa-eyJaaaaaaaaa.",
    "passwords": "://a:b/",
}


@pytest.mark.parametrize("name", LONG)
def test_a_long_text_is_searched_in_proportion_to_its_length(name: str) -> None:
    text = LONG[name] * 40_000
    began = time.process_time()
    Secrets().hide(text)
    assert time.process_time() - began < 15  # it is under one second; squared, minutes


def test_many_keys_in_a_text_cost_little() -> None:
    """The slow fingerprint, 50 ms each, is for what was given in the command."""
    keys = " ".join(f"hf_abcdefghijklmnop{number:06}" for number in range(2000))
    began = time.process_time()
    assert "hf_" not in Secrets().hide(keys)
    assert time.process_time() - began < 10


@pytest.mark.parametrize("url", ["ws://ann:abc@host:1", "ws://host:1?token=abc", "ws://host:1#abc"])
@pytest.mark.parametrize("policy", ["remote", "openpi"])
def test_an_address_has_no_place_for_a_secret(policy: str, url: str, suite_file: Path) -> None:
    with pytest.raises(UsageError, match="would stand in every record") as caught:
        plan(policy, str(suite_file), world=WORLD, policy_args={"url": url})
    assert "abc" not in str(caught.value)
