"""Secrets stay out of what a run leaves behind: its record, config, log, checkpoints and pages."""

import os
import re
from collections.abc import Mapping
from typing import Any

#: What stands where a secret was.
HIDDEN = "[hidden]"

_SECRET_NAME = re.compile(
    r"(?:^|_)(?:api_?key|access_?key|private_?key|token|secret|password|passwd|passphrase|credentials?|auth)$", re.I
)
_OVERRIDE = re.compile(r"([+~]*[\w.@/-]+)=(.+)", re.S)
#: user:password@ and ?token=… in a URL.
_LOGIN = re.compile(r"(?<=://)(?:[^/\s@'\"]+|[^/:\s@'\"]*:[^\s@'\"]+)(?=@)")
_QUERY = re.compile(r"(?<=[?&])([\w.-]+)=([^&\s'\"]+)")
#: key=value with a telling last part of the key: an override, or a line that quotes one.
_ASSIGNED = re.compile(r"(?P<key>[\w.@/-]*\w)(?P<sign>=|: )(?P<value>'[^']*'|\"[^\"]*\"|[^\s,;{}\[\]]+)")
#: Values that can't be secrets, whatever their key is called.
_HARMLESS = re.compile(r"[-+\d.eE]*|true|false|null|None|\?\?\?|\[hidden\]|''|\"\"")
#: Shorter values of the environment would be found where they are no secrets.
_SHORTEST = 8
#: Values that were hidden for their key in this process: they may stand elsewhere without it.
_seen: set[str] = set()


def redacted(value: Any) -> Any:
    """The same containers and scalars, with `HIDDEN` in the place of secrets.

    A secret is a text whose key is called so (``api_key``, ``token``, ``password``, …), the login in a URL, and
    wherever it stands the value of an environment variable that is called so, or what was hidden before.
    """
    return _redacted(value, sorted(_seen | _secrets_of_environment(), key=len, reverse=True))


def _redacted(value: Any, secrets: list[str]) -> Any:
    if isinstance(value, Mapping):
        return {
            key: _hidden(item) if isinstance(item, str) and item and _is_secret(key) else _redacted(item, secrets)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_redacted(item, secrets) for item in value]
    return _redacted_text(value, secrets) if isinstance(value, str) else value


def _redacted_text(text: str, secrets: list[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    if "://" in text:
        text = _LOGIN.sub(HIDDEN, text)
        text = _QUERY.sub(lambda found: f"{found[1]}={HIDDEN}" if _is_secret(found[1]) else found[0], text)
    if (override := _OVERRIDE.fullmatch(text)) and _hides(override[1], override[2]):
        return f"{override[1]}={_hidden(override[2])}"  # to its end: there may be spaces in it
    return _ASSIGNED.sub(_hide_value, text)


def _hide_value(found: re.Match[str]) -> str:
    hides = _hides(found["key"], found["value"])
    return f"{found['key']}{found['sign']}{HIDDEN}" if hides else found[0]


def _hidden(secret: str) -> str:
    if len(secret) >= _SHORTEST and secret != HIDDEN:
        _seen.add(secret.strip("'\""))
    return HIDDEN


def _hides(key: str, value: str) -> bool:
    return _is_secret(key.rpartition(".")[2]) and not _HARMLESS.fullmatch(value)


def _is_secret(name: object) -> bool:
    return bool(_SECRET_NAME.search(re.sub(r"(?<=[a-z])(?=[A-Z])|-", "_", str(name))))


def _secrets_of_environment() -> set[str]:
    return {value for name, value in os.environ.items() if len(value) >= _SHORTEST and _is_secret(name)}
