"""Commands that are asked to end: by Ctrl-C, SIGTERM or the end of the terminal, once and again."""

import fcntl
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time

import pytest

from forger.callbacks.checkpoint_files import VerifiedCheckpointIO
from forger.files import read_rows
from forger.run_folder import RunFolder
from running import SMALL

LEAVING = """
import atexit, sys, time
from forger import cli
def goodbye():
    print("goodbye", flush=True)
    time.sleep(1)
    print("gone", flush=True)
def command(arguments):
    atexit.register(goodbye)
    print("begun", flush=True)
    time.sleep(float(arguments[0]))
    return 7
cli._command = lambda name: command
sys.exit(cli.main())
"""


@pytest.mark.parametrize(
    ("seconds", "begins", "numbers", "code", "goodbye"),
    [
        (0, "goodbye", [signal.SIGTERM, signal.SIGHUP, signal.SIGTERM], 7, ["gone"]),
        (0, "goodbye", [signal.SIGINT], 7, []),
        (60, "begun", [signal.SIGTERM] * 3, 143, ["goodbye", "gone"]),
        (60, "begun", [signal.SIGHUP], 129, ["goodbye", "gone"]),
        (60, "begun", [signal.SIGINT], 130, ["goodbye", "gone"]),
    ],
)
def test_signals_to_a_command_that_is_at_work_and_to_one_that_is_leaving(seconds, begins, numbers, code, goodbye):
    """What a command ended with stands however often it is asked to end, and no traceback is printed."""
    line = [sys.executable, "-c", LEAVING, "doctor", str(seconds)]
    former = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # what a child inherits
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    signal.signal(signal.SIGHUP, former)
    assert process.stdout is not None
    while process.stdout.readline().strip() != begins:
        assert process.poll() is None, process.communicate()
    for number in numbers:
        process.send_signal(number)
        time.sleep(0.1)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out.split()) == (code, goodbye)
    assert err in ("", "forger: interrupted\n")


@pytest.mark.long
def test_a_terminal_that_closes_costs_nothing(tmp_path):
    """SIGHUP to a run in a terminal of its own, to which nothing can be written any more."""
    master, slave = pty.openpty()

    def own_terminal() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    long = [value for value in SMALL if "images" not in value] + ["budget.images=10_000_000"]
    line = [
        sys.executable,
        "-m",
        "forger",
        "train",
        *long,
        "metrics=none",
        "samples.every_images=null",
        "watch.action=none",
    ]
    streams = {"stdin": slave, "stdout": slave, "stderr": slave}
    process = subprocess.Popen(
        [*line, "run.root=runs"], cwd=tmp_path, start_new_session=True, preexec_fn=own_terminal, **streams
    )
    os.close(slave)
    end = time.monotonic() + 90
    while not any(len(read_rows(path / "metrics.jsonl")) > 5 for path in tmp_path.glob("runs/*/*")):
        assert process.poll() is None, os.read(master, 10_000)
        assert time.monotonic() < end
        if select.select([master], [], [], 0.05)[0]:
            os.read(master, 10_000)
    os.close(master)
    assert process.wait(timeout=30) == 129
    (folder,) = tmp_path.glob("runs/*/*")
    record = RunFolder(folder).read()
    assert (record.status, record.images > 300) == ("interrupted", True)
    last = VerifiedCheckpointIO().load_checkpoint(folder / "checkpoints" / "last.ckpt")
    assert last["clock"]["images"] == record.images
