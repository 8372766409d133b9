"""Secrets stay out of what a run leaves behind: its record, config, log, checkpoints and pages."""

import os
import re
from collections.abc import Mapping
from typing import Any

#: What stands where a secret was.
HIDDEN = "[hidden]"

_PASSWORD = re.compile(r"(?:password|passwd|passphrase|passcode)s?$", re.I)
_SECRET_NAME = re.compile(
    r"(?:password|passwd|passphrase|passcode)s?$|(?:^|_)(?:(?:api|access|account|auth|encryption|private|secret|session|"
    r"signing|ssh)_?key|token|secret|credential|auth|authorization|cookie|pwd|webhook(?:_?url)?)s?$",
    re.I,
)
#: Names that say nothing but in a URL.
_SECRET_IN_QUERY = re.compile(r"key|sig|signature", re.I)
_OVERRIDE = re.compile(r"([+~]*[\w.@/-]+)=(.+)", re.S)
#: user:password@ in a URL, to its last @, since there may be others and slashes in a password; and ?token=….
_LOGIN = re.compile(r"(?<=://)(?:[^/:\s@'\"]*:[^\s'\"]+|[^/\s@'\"]+)(?=@)")
_QUERY = re.compile(r"(?<=[?&])([\w.-]+)=([^&\s'\"]+)")
#: Addresses that let whoever knows them post: https://hooks.slack.com/services/….
_WEBHOOK = re.compile(r"(https?://(?:[^/\s'\"]*hooks?\.[^/\s'\"]+/|[^\s'\"]*?/(?:web)?hooks?/))[^\s'\"]+", re.I)
_BEARER = re.compile(r"(?<=\bBearer )\s*[^\s,;'\"{}\[\]]+", re.I)
#: key=value or key: value with a telling last part of the key: an override, a node, or a line that quotes one.
_ASSIGNED = re.compile(
    r"(?P<key>[\w.@/-]*\w)(?P<sign>['\"]?(?:=|: ?))"
    r"(?P<value>'[^']*'|\"[^\"]*\"|\[[^\]]*\]|\$\{[^{}]*\}|(?:(?:Bearer|Basic|Digest|Token) +)?[^\s,;{}\[\]]+)"
)
#: Values that can't be secrets, whatever their key is called.
_HARMLESS = re.compile(r"true|false|null|None|\?\?\?|\[hidden\]|''|\"\"|\[\]|\$\{(?:oc\.env:)?[\w.]+\}", re.I)
_NUMBER = re.compile(r"[-+\d.eE_]+")
#: Shorter numbers are counts, unless they are called a password.
_LONG_NUMBER = 6
#: A variable of the environment that a config asks for.
_VARIABLE = re.compile(r"\$\{oc\.env:\s*(\w+)")
#: Shorter values of the environment would be found where they are no secrets.
_SHORTEST = 8
#: Variables of every shell that are called like a password, and name its working directories.
_FOLDERS = {"PWD", "OLDPWD"}
#: Values that were hidden for their key in this process: they may stand elsewhere without it.
_seen: set[str] = set()
#: Values of secret variables that a config asked for and that are too short to look for inside other texts.
_short: set[str] = set()


def redacted(value: Any) -> Any:
    """The same containers and scalars, with `HIDDEN` in the place of secrets.

    A secret is what stands under a key that is called so (``api_key``, ``tokens``, ``password``, …), numbers too; the
    login in a URL, the path of a webhook; and wherever it stands the value of an environment variable that is called
    so, or what was hidden before.
    """
    return _redacted(value, sorted(_seen | _secrets_of_environment(), key=len, reverse=True))


def remember_variables(node: Any) -> None:
    """Have the values of secret variables be hidden, short ones too, that a config asks for: ``${oc.env:PGPASSWORD}``.

    Args:
        node: the config as it was written, plain containers, its interpolations not resolved yet.
    """
    if isinstance(node, Mapping):
        for item in node.values():
            remember_variables(item)
    elif isinstance(node, list):
        for item in node:
            remember_variables(item)
    elif isinstance(node, str):
        names = [name for name in _VARIABLE.findall(node) if _is_secret(name)]
        _short.update(value for name in names if 0 < len(value := os.environ.get(name, "")) < _SHORTEST)


def _redacted(value: Any, secrets: list[str], name: object = "") -> Any:
    """The value with its secrets hidden; all of it where the name of its place says so."""
    if isinstance(value, Mapping):
        return {key: _redacted(item, secrets, _place(key, name)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(item, secrets, name) for item in value]
    if name and isinstance(value, str | int | float) and not isinstance(value, bool):
        return _hidden(str(value)) if _hides(str(name), str(value)) else value
    if isinstance(value, str):
        return HIDDEN if value in _short else _redacted_text(value, secrets)
    return value


def _place(key: object, name: object) -> object:
    """The name that decides about an item: its key's, or else that of what it is in (``credentials: {user: …}``)."""
    if str(key).startswith("_"):
        return ""  # of Hydra: what to build is no secret
    return key if _is_secret(key) else name


def _redacted_text(text: str, secrets: list[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    if "://" in text:
        text = _LOGIN.sub(HIDDEN, text)
        text = _WEBHOOK.sub(rf"\1{HIDDEN}", text)
        text = _QUERY.sub(_hide_query, text)
    override = _OVERRIDE.fullmatch(text)
    if override and all(_hides(override[1], value) for value in (override[2], override[2].split(" ")[0])):
        return f"{override[1]}={_hidden(override[2])}"  # to its end: there may be spaces in it
    return _BEARER.sub(HIDDEN, _ASSIGNED.sub(_hide_value, text))


def _hide_query(found: re.Match[str]) -> str:
    return f"{found[1]}={HIDDEN}" if _is_secret(found[1]) or _SECRET_IN_QUERY.fullmatch(found[1]) else found[0]


def _hide_value(found: re.Match[str]) -> str:
    hides = _hides(found["key"], found["value"])
    return f"{found['key']}{found['sign']}{HIDDEN}" if hides else found[0]


def _hidden(secret: str) -> str:
    if len(secret) >= _SHORTEST and secret != HIDDEN:
        _seen.add(secret.strip("'\""))
    return HIDDEN


def _hides(key: str, value: str) -> bool:
    name = key.rpartition(".")[2]
    if not _is_secret(name) or not value or _HARMLESS.fullmatch(value):
        return False
    counts = _NUMBER.fullmatch(value) and not _PASSWORD.search(name)
    return not counts or (len(value) >= _LONG_NUMBER and not name.lower().endswith("tokens"))


def _is_secret(name: object) -> bool:
    return bool(_SECRET_NAME.search(re.sub(r"(?<=[a-z])(?=[A-Z])|-", "_", str(name))))


def _secrets_of_environment() -> set[str]:
    return {
        value
        for name, value in os.environ.items()
        if len(value) >= _SHORTEST and _is_secret(name) and name not in _FOLDERS
    }
