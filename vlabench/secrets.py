"""Secrets among the arguments of a policy: found by name and by form, and kept out of every file.

A run's folder is meant to be shown to others, and what is in it is the command that made it. So of
an API key only a fingerprint is written, and of a password nothing:

- An argument is a **password** if the last word of its name is one of `PASSWORDS`: it becomes
  ``***``. No password decides what a policy answers, so it is no part of the run's name.
- An argument is a **key** if its name says so (``token``, ``api_key``, ``hf_token``, ...): it
  becomes ``***-`` and 8 digits that change with it. So the same command finds its run again, and
  two arguments that only look like keys never share a run. Every ``..._token`` is one but those of
  a tokenizer (`_HARMLESS_TOKENS`); of ``..._key`` those in `_OF_WHAT` are.
- Texts of a known **form** (keys of Hugging Face, OpenAI, GitHub, AWS, ...; JSON web tokens) and
  the user, password and key in a **URL** are hidden wherever they stand.

A name's number at its end does not count (``api_key_2``), nor how its words are put together
(``hf-token``, ``HFToken``, ``hftoken``).

``unnorm_key``, ``image_key`` or ``bos_token`` are no secrets, nor are numbers, nor the name of an
environment variable (``token_env``), which is the better way to hand a key over: the command line
itself can be read in the list of processes and in the shell's history.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from vlabench.types import Json

HIDDEN = "***"

PASSWORDS = frozenset({"password", "passwd", "passphrase", "passcode", "pass", "pwd", "pin"})
"""Last words of names whose value is a password."""

_NO_PASSES = frozenset({"backward", "first", "forward", "multi", "second", "single", "two"})
"""What stands before a ``pass`` through a network."""

_SECRETS = frozenset(
    {
        *("secret", "secrets", "credential", "credentials", "creds", "bearer", "authorization"),
        *("auth", "oauth", "cookie", "jwt", "pat"),
    }
)
"""Last words of names whose value is a key."""

_HARMLESS_TOKENS = frozenset(
    {
        *("action", "audio", "begin", "bos", "boi", "cls", "context", "empty", "end", "eoi", "eos"),
        *("extra", "first", "image", "input", "language", "last", "latent", "mask", "max", "min"),
        *("new", "null", "num", "output", "pad", "prefix", "prompt", "proprio", "sep", "separator"),
        *("sequence", "special", "start", "state", "stop", "suffix", "text", "think", "total"),
        *("unk", "video", "vision", "visual"),
    }
)
"""What stands before a ``token`` that a tokenizer knows."""

_OF_WHAT = frozenset(
    {
        *("access", "account", "admin", "anthropic", "api", "app", "application", "auth", "aws"),
        *("azure", "bearer", "client", "cohere", "comet", "consumer", "dashscope", "deepseek"),
        *("deploy", "encryption", "fireworks", "gcp", "gemini", "gh", "github", "gitlab", "google"),
        *("groq", "hf", "hub", "huggingface", "id", "jwt", "license", "login", "master", "mistral"),
        *("moonshot", "neptune", "ngc", "nvidia", "oauth", "openai", "openrouter", "perplexity"),
        *("personal", "private", "refresh", "replicate", "root", "rsa", "runpod", "secret"),
        *("server", "service", "session", "signing", "ssh", "storage", "subscription", "together"),
        *("user", "wandb", "webhook", "xai"),
    }
)
"""What stands before a ``key`` that is a secret."""

_FORMS = re.compile(
    r"\b(?:hf_[A-Za-z0-9]{16,}|sk-[\w-]{16,}|gh[opsu]_[A-Za-z0-9]{20,}|github_pat_\w{20,}"
    r"|glpat-[\w-]{16,}|xox[abprs]-[\w-]{10,}|AKIA[0-9A-Z]{16}|AIza[\w-]{30,}|nvapi-[\w-]{20,}"
    r"|(?:(?<!-)eyJ[\w-]{8,4096}+|eyJ[\w-]{8,256}+)\.[\w-]{8,4096}+\.[\w-]{8,4096})"
)
"""A JSON web token that begins within a word has a short first part, so that a long text of such
beginnings is read a bounded number of times."""

_USER = re.compile(
    r"(?<=://)(?:[^\s/?#]{1,512}(?=@)"
    r"|[^\s/?#@:\[]{0,256}+:(?!\d{0,5}(?:[/?#]|$))[^\s@'\"<>]{1,512}+(?=@))"
)
"""The second form is a password with a slash in it, which is no number of a port."""

_IN_QUERY = re.compile(r"(?P<name>[?&;][\w-]++=)(?P<value>[^\s&;#'\"]++)")
_HEADER = re.compile(
    r"(?i)\b(?P<name>api-key|bearer|basic)(?P<blank>[ :=]++)(?P<value>[^\s,;'\"]{12,}+)"
)

_SHORTEST = 6
"""Characters: a shorter secret is not looked for in texts, which it would make unreadable."""


def hide_arguments(args: Mapping[str, Json]) -> dict[str, Json]:
    """`args` as they may be written down; equal to them if there is no secret among them."""
    return {name: _hidden(name, value) for name, value in args.items()}


@dataclass(frozen=True)
class Secrets:
    """The secrets that one policy was given.

    Attributes:
        texts: Those that are looked for, the longest first.
    """

    texts: tuple[str, ...] = ()

    @staticmethod
    def of(args: Mapping[str, Json]) -> Secrets:
        """Those among `args`, and in the environment variables that they name (``token_env``)."""
        found = {text for name, value in args.items() for text in _found(name, value)}
        usable = {text for text in found if len(text) >= _SHORTEST}
        return Secrets(tuple(sorted(usable, key=lambda text: (-len(text), text))))

    def hide(self, text: str) -> str:
        """`text` without them, and without whatever has the form of a secret."""
        for secret in self.texts:
            text = _without_beginning(text.replace(secret, HIDDEN), secret)
        return _without_forms(text, _marked_fast)

    def hide_in(self, value: Json) -> Json:
        """The same of every text in `value`, and of the keys of its maps."""
        if isinstance(value, str):
            return self.hide(value)
        if isinstance(value, Mapping):
            return _renamed(value, self.hide, self.hide_in)
        if isinstance(value, list | tuple):
            return [self.hide_in(one) for one in value]
        return value


def _hidden(name: str, value: Json) -> Json:
    if isinstance(value, Mapping):
        inner = {str(key): _hidden(str(key), one) for key, one in value.items()}
        return _renamed(inner, _without_forms, lambda one: one)
    if isinstance(value, list | tuple):
        return [_hidden(name, one) for one in value]
    if _is_password(name, value):
        return HIDDEN
    if _is_key(name, value):
        return _marked(value)
    return _without_forms(value) if isinstance(value, str) else value


def _found(name: str, value: Json) -> Iterable[str]:
    """The secrets in an argument, as they would stand in a text."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from _found(str(key), one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _found(name, one)
    elif _is_password(name, value) or _is_key(name, value):
        yield str(value)
    elif isinstance(value, str):
        if _words(name)[-1:] == ["env"]:
            yield os.environ.get(value, "").strip()
        yield from (user.partition(":")[2] for user in _USER.findall(value))


def _is_password(name: str, value: Json) -> bool:
    if not isinstance(value, str | int) or isinstance(value, bool) or value == "":
        return False
    *before, last = _words(name) or [""]
    if last == "pass" and before:
        return before[-1] not in _NO_PASSES
    return last in PASSWORDS


def _is_key(name: str, value: Json) -> bool:
    if not isinstance(value, str) or not value:
        return False
    *before, last = _words(name) or [""]
    if last in ("token", "tokens"):
        return not before or before[-1] not in _HARMLESS_TOKENS
    if last in ("key", "keys"):
        return before[-1] in _OF_WHAT if before else last == "key"
    return last in _SECRETS


def _words(name: str) -> list[str]:
    """``"HFToken"``, ``"hf-token_2"`` and ``"hftoken"`` are ``["hf", "token"]``."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    words = [word for word in re.split(r"[^a-z0-9]+", apart.lower()) if word]
    while words and not words[-1].rstrip("0123456789"):
        words.pop()
    if not words:
        return []
    last = words.pop().rstrip("0123456789")
    joined = _JOINED.fullmatch(last)
    return [*words, *(filter(None, joined.groups()) if joined else [last])]


_JOINED = re.compile(
    rf"(.+)(tokens?|password|passwd|passphrase|passcode)|({'|'.join(sorted(_OF_WHAT))})(keys?)"
)


def _renamed(
    values: Mapping[str, Json], rename: Callable[[str], str], change: Callable[[Json], Json]
) -> dict[str, Json]:
    """A map of changed values under changed keys; those that become equal are numbered."""
    found: dict[str, Json] = {}
    for number, (key, value) in enumerate(values.items()):
        name = rename(key)
        found[f"{name} ({number})" if name in found else name] = change(value)
    return found


def _without_forms(text: str, mark: Callable[[str], str] | None = None) -> str:
    text = _FORMS.sub(lambda found: (mark or _marked)(found[0]), text)
    text = _USER.sub(HIDDEN, text)
    text = _HEADER.sub(_without_credentials, text)
    return _IN_QUERY.sub(_without_value, text)


def _without_credentials(found: re.Match[str]) -> str:
    """Words without a digit are those of a sentence about the "basic configuration"."""
    secret = any(character.isdigit() for character in found["value"])
    return f"{found['name']}{found['blank']}{HIDDEN}" if secret else found[0]


def _without_value(found: re.Match[str]) -> str:
    name, value = found["name"][1:-1], found["value"]
    secret = _is_password(name, value) or _is_key(name, value)
    return f"{found['name']}{HIDDEN}" if secret else found[0]


def _without_beginning(text: str, secret: str) -> str:
    """`text`, which was cut after so many characters, perhaps within `secret`."""
    for length in range(len(secret) - 1, _SHORTEST - 1, -1):
        if text.endswith(secret[:length]):
            return text[:-length] + HIDDEN
    return text


def _marked(secret: str) -> str:
    return f"{HIDDEN}-{_fingerprint(secret)}"


def _marked_fast(secret: str) -> str:
    """For what others wrote, perhaps thousands of keys: a key of a known form is not guessed."""
    return f"{HIDDEN}-{hashlib.blake2b(secret.encode(), digest_size=4).hexdigest()}"


@cache
def _fingerprint(secret: str) -> str:
    """Made slowly, so that who has it does not find a key by trying."""
    made = hashlib.scrypt(secret.encode(), salt=b"vlabench", n=2**14, r=8, p=1, dklen=4)
    return made.hex()
