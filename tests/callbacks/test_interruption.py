"""Signals: kept while a round is played, raised elsewhere, and a second SIGINT ends at once."""

import os
import signal
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from forger.callbacks import interruption as module
from forger.callbacks.interruption import Interruption
from forger.errors import Interrupted

GAME: Any = SimpleNamespace(device="cpu")


def trainer() -> Any:
    return SimpleNamespace(world_size=1, should_stop=False)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_outside_training_a_signal_is_raised_at_once(number, monkeypatch):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    monkeypatch.setattr(module, "leave_terminal", lambda: None)
    heard = Interruption()
    with pytest.raises(Interrupted) as caught, heard.listening():
        signal.raise_signal(number)
    assert caught.value.exit_code == 128 + number
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_closed_terminal_is_no_signal_under_nohup():
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    heard = Interruption()
    with heard.listening():
        signal.raise_signal(signal.SIGHUP)
    assert heard.signal_number == 0
    signal.signal(signal.SIGHUP, former)


def test_a_round_is_played_to_its_end():
    heard, stopping = Interruption(), trainer()
    with heard.listening():
        heard.on_train_start(stopping, GAME)
        signal.raise_signal(signal.SIGTERM)
        assert not stopping.should_stop
        heard.on_train_batch_end(stopping, GAME)
        assert (stopping.should_stop, heard.signal_number) == (True, signal.SIGTERM)
        heard.on_train_end(stopping, GAME)
        signal.raise_signal(signal.SIGTERM)  # once is enough


def test_long_scoring_is_broken_off(monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.2)
    heard = Interruption()
    with heard.listening():
        heard.on_train_start(trainer(), GAME)
        began = time.monotonic()
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(Interrupted), heard.breakable():
            time.sleep(30)
        assert time.monotonic() - began < 5


def test_a_round_is_never_broken_off(monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    heard = Interruption()
    with heard.listening():
        heard.on_train_start(trainer(), GAME)
        signal.raise_signal(signal.SIGINT)
        time.sleep(0.2)


def test_a_second_sigint_ends_the_process(monkeypatch):
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    heard = Interruption()
    with heard.listening():
        heard.on_train_start(trainer(), GAME)
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert ended == []
        signal.raise_signal(signal.SIGINT)
    assert ended == [130]


def test_other_threads_leave_signals_alone():
    before = signal.getsignal(signal.SIGTERM)
    seen: list[Any] = []

    def listen():
        with Interruption().listening():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert seen == [before]
