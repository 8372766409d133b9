"""What reaches training, and the line in which a command fails."""

import sys
import types
from collections.abc import Callable
from typing import Any

import pytest


def reaching(seen: list[Any], monkeypatch: pytest.MonkeyPatch, behave: Callable[[Any], int]) -> list[Any]:
    """``seen``, to which `forger.run.train` adds each config, instead of training; it behaves as told."""

    def train(config: Any) -> int:
        seen.append(config)
        return behave(config)

    module = types.ModuleType("forger.run")
    module.train = train  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "forger.run", module)
    return seen


def line_of(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on stderr, without `forger: `."""
    error = capsys.readouterr().err
    assert error.startswith("forger: ")
    assert error.count("\n") == 1
    return error[8:-1]
