"""Pictures that are .npy files, read by several threads."""

import gc
import io
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from forger.data.pixels import npy
from forger.data.pixels.planes import open_picture


@pytest.fixture
def yielding():
    """A collector of garbage that lets another thread go on in the middle of what a thread does."""
    before = gc.get_threshold()

    def pause(*_):
        time.sleep(0)

    gc.collect()
    gc.freeze()
    gc.callbacks.append(pause)
    gc.set_threshold(1, 1000, 1000)
    yield
    gc.set_threshold(*before)
    gc.callbacks.remove(pause)
    gc.unfreeze()


def test_threads_that_read_headers_do_not_disturb_each_other(tmp_path, yielding):
    """Each from another depth of calls, which is what Python 3.11 confuses."""
    np.save(tmp_path / "x.npy", np.zeros((12, 20), np.uint16))
    content = (tmp_path / "x.npy").read_bytes()

    def read(depth: int):
        if depth:
            return read(depth - 1)
        with open_picture(tmp_path / "x.npy") as picture:
            return picture.size, npy.header(io.BytesIO(content), len(content))[0]

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(read, [7 * row % 9 for row in range(200)]))
    assert found == [((20, 12), (12, 20))] * 200
