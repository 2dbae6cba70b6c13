"""Secrets among the arguments of a policy: found by name and by form, and kept out of every file.

A run's folder is meant to be shown to others, and what is in it is the command that made it. So of
an API key only a fingerprint is written, and of a password nothing:

- An argument is a **password** if the last word of its name is one of `PASSWORDS`: it becomes
  ``***``. No password decides what a policy answers, so it is no part of the run's name.
- An argument is a **key** if its name says so (``token``, ``api_key``, ``hf_token``, ...): it
  becomes ``***-`` and 8 digits that change with it. So the same command finds its run again, and
  two arguments that only look like keys never share a run.
- Texts of a known **form** (keys of Hugging Face, OpenAI, GitHub, AWS, ...; JSON web tokens) and
  the user, password and key in a **URL** are hidden wherever they stand.

``unnorm_key``, ``image_key`` or ``bos_token`` are no secrets, nor are numbers, nor the name of an
environment variable (``token_env``), which is the better way to hand a key over: the command line
itself can be read in the list of processes and in the shell's history.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from vlabench.types import Json

HIDDEN = "***"

PASSWORDS = frozenset({"password", "passwd", "passphrase", "pwd"})
"""Last words of names whose value is a password."""

_SECRETS = frozenset({"secret", "credential", "credentials", "bearer", "authorization", "cookie"})
"""Last words of names whose value is a key."""

_KEYS = frozenset({"key", "keys", "token", "tokens"})
"""Likewise after one of `_OF_WHAT`; one of them may stand alone."""

_OF_WHAT = frozenset(
    {
        *("access", "account", "api", "auth", "bearer", "client", "deploy", "encryption", "gh"),
        *("github", "gitlab", "hf", "hub", "huggingface", "id", "login", "openai", "anthropic"),
        *("personal", "private", "refresh", "secret", "server", "service", "session", "signing"),
        *("ssh", "user", "wandb", "gemini", "google", "aws", "azure", "nvidia", "ngc"),
    }
)
_WHOLE = frozenset({"apikey", "apitoken", "accesskey", "accesstoken", "authtoken", "auth", "pat"})

_FORMS = re.compile(
    r"\b(?:hf_[A-Za-z0-9]{16,}|sk-[\w-]{16,}|gh[opsu]_[A-Za-z0-9]{20,}|github_pat_\w{20,}"
    r"|glpat-[\w-]{16,}|xox[abprs]-[\w-]{10,}|AKIA[0-9A-Z]{16}|AIza[\w-]{30,}|nvapi-[\w-]{20,}"
    r"|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,})"
)
_USER = re.compile(r"(?<=://)[^\s/?#@]+(?=@)")
_IN_QUERY = re.compile(r"(?P<name>[?&;][\w-]+=)(?P<value>[^\s&;#'\"]+)")
_HEADER = re.compile(
    r"(?i)\b(?P<name>api-key|bearer|basic)(?P<blank>[ :=]+)(?=[^\s,;'\"]*\d)[^\s,;'\"]{12,}"
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
        return _without_forms(text)

    def hide_in(self, value: Json) -> Json:
        """The same of every text in `value`."""
        if isinstance(value, str):
            return self.hide(value)
        if isinstance(value, Mapping):
            return {key: self.hide_in(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.hide_in(one) for one in value]
        return value


def _hidden(name: str, value: Json) -> Json:
    if isinstance(value, Mapping):
        return {key: _hidden(str(key), one) for key, one in value.items()}
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
    fits = isinstance(value, str | int) and not isinstance(value, bool) and value != ""
    return fits and _words(name)[-1:] != [] and _words(name)[-1] in PASSWORDS


def _is_key(name: str, value: Json) -> bool:
    if not isinstance(value, str) or not value:
        return False
    *before, last = _words(name) or [""]
    if last in _SECRETS or last in _WHOLE:
        return True
    if not before:
        return last in ("key", "token")
    return last in _KEYS and before[-1] in _OF_WHAT


def _words(name: str) -> list[str]:
    """``"hfToken"`` and ``"hf-token"`` are ``["hf", "token"]``."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return [word.lower() for word in re.split(r"[^A-Za-z0-9]+", apart) if word]


def _without_forms(text: str) -> str:
    text = _FORMS.sub(lambda found: _marked(found[0]), text)
    text = _USER.sub(HIDDEN, text)
    text = _HEADER.sub(rf"\g<name>\g<blank>{HIDDEN}", text)
    return _IN_QUERY.sub(_without_value, text)


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


@cache
def _fingerprint(secret: str) -> str:
    """Made slowly, so that who has it does not find a key by trying."""
    made = hashlib.scrypt(secret.encode(), salt=b"vlabench", n=2**14, r=8, p=1, dklen=4)
    return made.hex()
