"""Pipes, sockets and devices by the names of pictures, archives and tables: refused by name, and never waited for."""

import os
import socket
from contextlib import contextmanager, suppress
from threading import Event, Thread

import pytest

from data.forms import SIDE, folder, parquet_of_paths, pixels, saved_set
from forger.config.explain import explain
from forger.data.files import files, seen
from forger.data.folders import image_folder
from forger.data.survey import survey

#: Seconds after which whoever waits for a pipe is let go, and then fails otherwise than is expected.
_LONG = 20


@contextmanager
def pipe(place):
    """A named pipe into which nobody writes."""
    place.unlink(missing_ok=True)
    os.mkfifo(place)

    over = Event()

    def let_go():
        ended = over.wait(_LONG)
        while not ended:
            with suppress(OSError):  # nobody waits
                os.close(os.open(place, os.O_WRONLY | os.O_NONBLOCK))
            ended = over.wait(0.05)

    thread = Thread(target=let_go)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def a_socket(place):
    place.unlink()
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(place))
        yield


@contextmanager
def device(place):
    place.unlink()
    place.symlink_to("/dev/null")
    yield


KINDS = {"a named pipe": pipe, "a socket": a_socket, "a device": device}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("source", [files, image_folder])
def test_what_is_no_regular_file_is_a_damaged_picture(kind, source, tmp_path):
    root = folder(tmp_path)
    with KINDS[kind](root / "a" / "000.png"), pytest.raises(ValueError, match=rf"x/a/000.png: .*{kind}") as caught:
        source(str(root), SIDE, 1)
    told, code = explain(caught.value)
    assert code == 2
    assert "\n" not in told


def test_a_survey_names_it_and_a_run_can_leave_it_out(tmp_path):
    root = folder(tmp_path)
    with pipe(root / "a" / "000.png"), pipe(root / "b" / "000"):  # which may be DICOM
        assert seen(str(root))["size"] == SIDE
        assert list(survey(str(root), training={}).damaged) == ["a/000.png"]
        assert sum(map(len, files(str(root), SIDE, 1, skip_damaged=True).splits.values())) == len(pixels()) - 1


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x.npy", "x.npz", "x.csv", "x.parquet"])
def test_a_place_is_a_file_or_a_folder(name, tmp_path):
    with pipe(tmp_path / name), pytest.raises(ValueError, match=f"{name}: a pipe, a socket or a device"):
        files(str(tmp_path / name), SIDE, 1)


@pytest.mark.parametrize("name", ["state.json", "data-00001-of-00002.arrow"])
def test_the_files_of_a_saved_set(name, tmp_path):
    root = saved_set(tmp_path)
    with pipe(root / "train" / name), pytest.raises(ValueError, match=r"can't be read .*(regular file|named pipe)"):
        files(str(root), SIDE, 1)


def test_what_a_table_names(tmp_path):
    place = parquet_of_paths(tmp_path)
    with pipe(tmp_path / "x" / "a" / "000.png"), pytest.raises(ValueError, match=r"000.png: .*a named pipe"):
        files(str(place), SIDE, 1)
    os.rename(place, tmp_path / "x" / "good.parquet")
    with pipe(tmp_path / "x" / "more.parquet"), pytest.raises(ValueError, match=r"more.parquet: .*a named pipe"):
        files(str(tmp_path / "x" / "more.parquet").rpartition("/")[0], SIDE, 1)
