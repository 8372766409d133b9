"""Large picture sets: decoded once, mapped, dealt by blocks; the same pixels as in memory."""

import errno
import io
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

from data.pictures import write
from forger.data import collection, loader, pairs, store
from forger.data.collection import Files, decode_noting
from forger.data.dataset import Split
from forger.data.folders import celeba, image_folder
from forger.data.loader import Batches, by_blocks
from forger.data.pairs import paired_folder, patches_of_folder, unpaired_folders
from forger.data.pixels.layout import Layout
from forger.data.store import Undecoded, decoded, stored
from running import trained


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


def files(root: Path) -> Files:
    return Files(root, [path.relative_to(root) for path in sorted(root.iterdir())])


def test_map_has_the_pixels_of_decoding_in_memory(pictures):
    images, digest = stored(files(pictures), Layout.of(3, 8))
    assert torch.equal(images, decode_noting(files(pictures), Layout.of(3, 8))[0])
    again, same = stored(files(pictures), Layout.of(3, 8))
    assert torch.equal(images, again)
    assert digest == same


def test_second_time_nothing_is_decoded_and_changed_files_are(pictures, monkeypatch):
    _, digest = stored(files(pictures), Layout.of(3, 8))
    with monkeypatch.context() as patch:
        patch.setattr(store, "decode_each", lambda *_: pytest.fail("decoded again"))
        stored(files(pictures), Layout.of(3, 8))
    Image.new("RGB", (12, 12)).save(pictures / "004.png")
    images, other = stored(files(pictures), Layout.of(3, 8))
    assert other != digest
    assert images[4].max() == 0


@pytest.mark.parametrize("source", ["folder", "pair", "patches", "domains", "celeba"])
def test_small_sets_are_decoded_once_too(tmp_path, monkeypatch, source):
    monkeypatch.setenv("FORGER_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "pictures"
    for index in range(30):
        for side in ("A", "B"):
            write(root / side / f"{index}.png", size=(20, 16), seed=index)
    if source == "celeba":
        (root / "A").rename(root / "img_align_celeba")
        (root / "list_eval_partition.txt").write_text("".join(f"{i}.png {i % 3}\n" for i in range(30)))
    make = {
        "folder": lambda: image_folder(str(root), 8, 3, classes=2),
        "pair": lambda: paired_folder(str(root), 8),
        "patches": lambda: patches_of_folder(str(root), 16, crops=2),
        "domains": lambda: unpaired_folders(str(root / "A"), str(root / "B"), 8),
        "celeba": lambda: celeba(str(root), 8, label=None),
    }[source]
    fingerprint = make().fingerprint
    for module in (collection, pairs):
        monkeypatch.setattr(module, "decode", lambda *_: pytest.fail("decoded again"), raising=False)
    assert make().fingerprint == fingerprint


def test_a_changed_picture_is_noticed_whatever_its_size_and_time(pictures):
    first = decoded(files(pictures), Layout.of(3, 8))
    times = (pictures / "004.png").stat()
    Image.new("RGB", (12, 10)).save(pictures / "004.bmp")
    (pictures / "004.bmp").rename(pictures / "004.png")
    os.truncate(pictures / "004.png", times.st_size)
    os.utime(pictures / "004.png", ns=(times.st_atime_ns, times.st_mtime_ns))
    second = decoded(files(pictures), Layout.of(3, 8))
    assert second[4].max() == 0
    assert torch.equal(second[5:], first[5:])


@pytest.mark.parametrize("damage", ["another byte", "cut", "another header", "empty"])
def test_a_damaged_cache_is_not_believed(pictures, tmp_path, caplog, damage):
    whole = decoded(files(pictures), Layout.of(3, 8))
    (cache,) = tmp_path.glob("cache/decoded/*.u8")
    content = bytearray(cache.read_bytes())
    content[-5] ^= 1
    cache.write_bytes(
        {"another byte": content, "cut": content[:-1], "another header": b"[]\n" + content}.get(damage, b"")
    )
    assert torch.equal(decoded(files(pictures), Layout.of(3, 8)), whole)
    assert caplog.messages == [f"{cache} is damaged: decoding again"]
    assert torch.equal(decoded(files(pictures), Layout.of(3, 8)), whole)
    assert len(caplog.messages) == 1


def test_a_map_of_another_length_is_decoded_again(pictures, tmp_path):
    images, digest = stored(files(pictures), Layout.of(3, 8))
    whole = images.clone()
    (file,) = tmp_path.glob("cache/decoded/*/images.u8")
    os.truncate(file, 100)
    images, again = stored(files(pictures), Layout.of(3, 8))
    assert again == digest
    assert torch.equal(images, whole)


def test_without_a_cache_small_sets_are_decoded_in_memory(pictures, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert len(decoded(files(pictures), Layout.of(3, 8))) == 30


def test_what_was_converted_is_told_at_every_start(pictures, caplog):
    with caplog.at_level(logging.INFO, "forger"):
        for _ in range(2):
            decoded(files(pictures), Layout.of(1, 8))
    assert caplog.messages == [f"30 pictures from {pictures}: 30 colour reduced to luma"] * 2


#: Asks for the map; writes down every picture that it decodes; killed once the shard of that number is noted.
ASKS = """
import os, signal, sys
from pathlib import Path
from forger.data import store
from forger.data.collection import Files
from forger.data.pixels.layout import Layout

root, log, last = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
store.SHARD = 8
append, decode = store.append_row, store.decode_each

def kill(path, row):
    append(path, row)
    if row["shard"] == last:
        os.kill(os.getpid(), signal.SIGKILL)

def written_down(pictures, *more):
    with log.open("a") as file:
        file.write("".join(f"{path.name}\\n" for path in pictures.keys))
    return decode(pictures, *more)

store.append_row, store.decode_each = kill, written_down
images, digest = store.stored(Files(root, [path.relative_to(root) for path in sorted(root.iterdir())]), Layout.of(3, 8))
print(digest, int(images.sum()))
"""


def asking(pictures: Path, log: Path, killed_after: int = -1) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", ASKS, str(pictures), str(log), str(killed_after)]
    return subprocess.Popen(command, env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.long
def test_two_that_ask_at_once_share_one_decoding(pictures, tmp_path):
    both = [asking(pictures, tmp_path / "log") for _ in range(2)]
    outputs = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    images, digest = stored(files(pictures), Layout.of(3, 8))
    assert {out for out, _ in outputs} == {f"{digest} {int(images.sum())}\n"}
    assert (tmp_path / "log").read_text().split() == [f"{index:03}.png" for index in range(30)]


def test_goes_on_where_it_was_killed(pictures, tmp_path, monkeypatch):
    killed = asking(pictures, tmp_path / "log", killed_after=1)
    _, error = killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL, error
    decoded = []
    decode = store.decode_each
    monkeypatch.setattr(store, "decode_each", lambda part, *more: decoded.extend(part.keys) or decode(part, *more))
    images, _ = stored(files(pictures), Layout.of(3, 8))
    assert [path.name for path in decoded] == [f"{index:03}.png" for index in range(16, 30)]
    assert torch.equal(images, decode_noting(files(pictures), Layout.of(3, 8))[0])


@pytest.mark.parametrize("why", ["no folder", "disk full", "quota"])
def test_without_room_rows_are_decoded_when_asked_for(pictures, tmp_path, monkeypatch, caplog, why):
    def refused(*_: int) -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    if why == "no folder":
        (tmp_path / "cache").write_text("a file where the folder should be")
    elif why == "disk full":
        usage = shutil.disk_usage(tmp_path)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=30 * 3 * 8 * 8 - 1))
    else:
        monkeypatch.setattr(os, "posix_fallocate", refused)
    images, digest = stored(files(pictures), Layout.of(3, 8))
    (message,) = caplog.messages
    assert re.search(r"decoding .*pictures while training, since .* can't keep its 0.0 GB \(", message)
    assert {"disk full": "no space left", "quota": "quota exceeded"}.get(why, "") in message
    assert not any(file.stat().st_size for file in tmp_path.glob("cache/**/images.u8"))
    assert isinstance(images, Undecoded)
    assert digest == stored(files(pictures), Layout.of(3, 8))[1]
    whole = decode_noting(files(pictures), Layout.of(3, 8))[0]
    assert torch.equal(images.index_select(0, torch.tensor([3, 29, 3])), whole[[3, 29, 3]])
    assert torch.equal(images[5:7], whole[5:7])


@pytest.mark.parametrize("room", [True, False])
def test_large_folder_is_dealt_with_its_labels_from_any_position(pictures, tmp_path, monkeypatch, room):
    for index, path in enumerate(sorted(pictures.iterdir())):
        folder = pictures / "ab"[index % 2]
        folder.mkdir(exist_ok=True)
        path.rename(folder / path.name)
    in_memory = image_folder(str(pictures), 8, 3, classes=2)
    monkeypatch.setattr(store, "IN_MEMORY", 0)
    if not room:
        shutil.rmtree(tmp_path / "cache")
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


def test_whole_runs_are_the_same_from_the_map_and_from_the_files(tmp_path, monkeypatch):
    """Everything that reads training images (scores, the watch, the closing picture of neighbours) takes either."""
    root = tmp_path / "pictures"
    for index in range(120):
        write(root / f"{index}.png", size=(8, 8), mode="L", seed=index)
    monkeypatch.setattr(store, "IN_MEMORY", 0)
    overrides = ("model=gan", "data=image_folder", f"data.root={root}", "data.size=8", "data.channels=1",
                 "metrics=digits", "metrics.evaluations.quality.scores=[fd,memorisation]", "metrics.n=64",
                 "samples.closing=[neighbours]", "watch.every_images=320")  # fmt: skip
    records = []
    for cache in ("room", "none"):
        monkeypatch.setenv("FORGER_CACHE", str(tmp_path / cache))
        if cache == "none":
            (tmp_path / cache).write_text("")
        run = trained(tmp_path / f"runs_{cache}", *overrides)
        records.append(run.read())
        assert list(run.samples.glob("*neighbours*"))
    mapped, undecoded = records
    assert mapped.weights_sha256 == undecoded.weights_sha256
    for name, score in mapped.scores["final"].items():
        assert score["value"] == undecoded.scores["final"][name]["value"]
        assert score["passport"]["fingerprint"] == undecoded.scores["final"][name]["passport"]["fingerprint"]


def test_block_order_is_a_permutation_that_stays_near():
    order = by_blocks(1000, 10, torch.Generator().manual_seed(0), window=5)
    assert sorted(order.tolist()) == list(range(1000))
    blocks = [set((part // 10).tolist()) for part in order[:1000].split(50)]
    assert all(len(part) <= 6 for part in blocks)
    assert not torch.equal(order[:50].sort().values, torch.arange(50))


def test_data_larger_than_the_device_stay_in_main_memory(monkeypatch, caplog):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1000, 2000))
    fits = [torch.zeros(499, dtype=torch.uint8)]
    assert loader._fits(fits, "cuda")
    assert not loader._fits(2 * fits, "cuda")
    assert loader._fits(2 * fits, "cpu")

    monkeypatch.setattr(loader, "_moved", lambda array, device: array if device.type == "cuda" else None)
    split = Split({"image": torch.arange(600, dtype=torch.int32).to(torch.uint8).reshape(600, 1, 1, 1)})
    about = {"batch_size": 8, "seed": 0, "position": lambda: 70}
    caplog.clear()
    with caplog.at_level(logging.INFO, "forger"):
        on_device = list(islice(iter(Batches(split, device="cuda", **about)), 9))
    assert caplog.messages == ["data of 0.0 GB stay in main memory: cuda has 0.0 GB free"]
    here = list(islice(iter(Batches(split, **about)), 9))
    assert all(torch.equal(a["image"], b["image"]) for a, b in zip(on_device, here, strict=True))


def test_decoding_shows_how_far_it_is(pictures, monkeypatch):
    shown = io.StringIO()
    monkeypatch.setattr(store, "console", Console(file=shown, force_terminal=True, width=100))
    stored(files(pictures), Layout.of(3, 8))
    assert "decoding pictures, once" in shown.getvalue()
    assert "30/30" in shown.getvalue()


def test_pictures_are_decoded_by_several_threads_at_once(pictures, monkeypatch):
    """The first few wait for one another: one thread alone would wait for ever."""
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    together = threading.Barrier(3, timeout=20)
    decode = collection.decode

    def waiting(path: Path, *more: int) -> tuple[torch.Tensor, list[str]]:
        if path.name < "003":
            together.wait()
        return decode(path, *more)

    monkeypatch.setattr(collection, "decode", waiting)
    images, _ = stored(files(pictures), Layout.of(3, 8))
    assert not together.broken
    assert torch.equal(images[:3], decode_noting(files(pictures), Layout.of(3, 8))[0][:3])


def test_batches_ahead_are_the_same_batches():
    split = Split({"image": torch.arange(64, dtype=torch.uint8).reshape(16, 1, 2, 2)}, block=4)
    first = [b["image"] for b in islice(iter(Batches(split, batch_size=4, seed=1, position=lambda: 0)), 9)]
    second = [b["image"] for b in islice(iter(Batches(split, batch_size=4, seed=1, position=lambda: 5)), 4)]
    assert all(torch.equal(a, b) for a, b in zip(first[5:], second, strict=True))
    assert torch.cat(first[:4]).flatten().sort().values.tolist() == list(range(64))
