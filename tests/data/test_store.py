"""Large picture sets: decoded once, mapped, dealt by blocks; the same pixels as in memory."""

import os
import signal
import subprocess
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from forger.data import folders, store
from forger.data.decoding import decode_all
from forger.data.folders import image_folder
from forger.data.images import Split
from forger.data.loader import Batches, by_blocks
from forger.data.store import Undecoded, stored


@pytest.fixture
def pictures(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("FORGER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(store, "SHARD", 8)
    root = tmp_path / "pictures"
    root.mkdir()
    for index in range(30):
        pixels = np.random.default_rng(index).integers(0, 256, (12, 10, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / f"{index:03}.png")
    return root


def names(root: Path) -> list[Path]:
    return [path.relative_to(root) for path in sorted(root.iterdir())]


def test_map_has_the_pixels_of_decoding_in_memory(pictures):
    images, digest = stored(pictures, names(pictures), 3, 8)
    assert torch.equal(images, decode_all([pictures / name for name in names(pictures)], 3, 8))
    again, same = stored(pictures, names(pictures), 3, 8)
    assert torch.equal(images, again)
    assert digest == same


def test_second_time_nothing_is_decoded_and_changed_files_are(pictures, monkeypatch):
    _, digest = stored(pictures, names(pictures), 3, 8)
    with monkeypatch.context() as patch:
        patch.setattr(store, "decode_each", lambda *_: pytest.fail("decoded again"))
        stored(pictures, names(pictures), 3, 8)
    Image.new("RGB", (12, 12)).save(pictures / "004.png")
    images, other = stored(pictures, names(pictures), 3, 8)
    assert other != digest
    assert images[4].max() == 0


def test_goes_on_where_it_was_killed(pictures, monkeypatch):
    code = (
        "import os, signal, sys; from pathlib import Path; from forger.data import store\n"
        "store.SHARD = 8; root = Path(sys.argv[1]); append = store.append_row\n"
        "def kill(path, row):\n"
        "    append(path, row)\n"
        "    if row['shard'] == 1: os.kill(os.getpid(), signal.SIGKILL)\n"
        "store.append_row = kill\n"
        "store.stored(root, [p.relative_to(root) for p in sorted(root.iterdir())], 3, 8)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(pictures)], env=os.environ, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    decoded = []
    decode = store.decode_each
    monkeypatch.setattr(store, "decode_each", lambda paths, *more: decoded.extend(paths) or decode(paths, *more))
    images, _ = stored(pictures, names(pictures), 3, 8)
    assert [path.name for path in decoded] == [f"{index:03}.png" for index in range(16, 30)]
    assert torch.equal(images, decode_all([pictures / name for name in names(pictures)], 3, 8))


def test_without_room_rows_are_decoded_when_asked_for(pictures, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    images, _ = stored(pictures, names(pictures), 3, 8)
    assert isinstance(images, Undecoded)
    whole = decode_all([pictures / name for name in names(pictures)], 3, 8)
    assert torch.equal(images.index_select(0, torch.tensor([3, 29, 3])), whole[[3, 29, 3]])
    assert torch.equal(images[5:7], whole[5:7])


@pytest.mark.parametrize("room", [True, False])
def test_large_folder_is_dealt_with_its_labels_from_any_position(pictures, tmp_path, monkeypatch, room):
    for index, path in enumerate(sorted(pictures.iterdir())):
        folder = pictures / "ab"[index % 2]
        folder.mkdir(exist_ok=True)
        path.rename(folder / path.name)
    in_memory = image_folder(str(pictures), 8, 3, classes=2)
    monkeypatch.setattr(folders, "IN_MEMORY", 0)
    if not room:
        (tmp_path / "cache").write_text("")
    data = image_folder(str(pictures), 8, 3, classes=2)
    assert torch.equal(data.test.arrays["image"], in_memory.test.arrays["image"])
    assert data.fingerprint == image_folder(str(pictures), 8, 3, classes=2).fingerprint

    def batches(position: int, count: int):
        stream = Batches(data.train, batch_size=8, seed=0, position=lambda: position, flip=True)
        return list(islice(iter(stream), count))

    epoch = batches(0, 3)
    label_of = {image.numpy().tobytes(): label for image, label in zip(*in_memory.train.arrays.values(), strict=True)}
    label_of |= {image.flip(-1).contiguous().numpy().tobytes(): label
                 for image, label in zip(*in_memory.train.arrays.values(), strict=True)}  # fmt: skip
    for batch in epoch:
        for image, label in zip(batch["image"], batch["label"], strict=True):
            assert label_of[image.contiguous().numpy().tobytes()] == label
    assert torch.equal(batches(2, 1)[0]["image"], epoch[2]["image"])


def test_block_order_is_a_permutation_that_stays_near():
    order = by_blocks(1000, 10, torch.Generator().manual_seed(0), window=5)
    assert sorted(order.tolist()) == list(range(1000))
    blocks = [set((part // 10).tolist()) for part in order[:1000].split(50)]
    assert all(len(part) <= 6 for part in blocks)
    assert not torch.equal(order[:50].sort().values, torch.arange(50))


def test_data_larger_than_the_device_stay_in_main_memory(monkeypatch):
    from forger.data import loader

    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1000, 2000))
    fits = [torch.zeros(499, dtype=torch.uint8)]
    assert loader._fits(fits, "cuda")
    assert not loader._fits(2 * fits, "cuda")
    assert loader._fits(2 * fits, "cpu")


def test_batches_ahead_are_the_same_batches():
    split = Split({"image": torch.arange(64, dtype=torch.uint8).reshape(16, 1, 2, 2)}, block=4)
    first = [b["image"] for b in islice(iter(Batches(split, batch_size=4, seed=1, position=lambda: 0)), 9)]
    second = [b["image"] for b in islice(iter(Batches(split, batch_size=4, seed=1, position=lambda: 5)), 4)]
    assert all(torch.equal(a, b) for a, b in zip(first[5:], second, strict=True))
    assert torch.cat(first[:4]).flatten().sort().values.tolist() == list(range(64))
