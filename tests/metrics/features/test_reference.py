"""Real statistics: computed once, found again, never mistaken for others, safe among processes."""

import multiprocessing
import os

import pytest
import torch

from forger.hashing import weights_sha256
from forger.metrics.features.reference import Reference, default_cache
from forger.metrics.functional.frechet import moments
from metrics.doubles import Projection, pictures


class Counting(Projection):
    calls = 0

    def extract(self, images):
        type(self).calls += 1
        return super().extract(images)


@pytest.fixture(autouse=True)
def fresh():
    Counting.calls = 0


def same(one: Reference, other: Reference) -> bool:
    return all(torch.equal(getattr(one, name), getattr(other, name)) for name in ("features", "logits", "mean", "cov"))


def test_holds_what_the_extractor_says():
    images = pictures(30)
    reference = Reference.build(Projection(), images, split="toy/test", batch_size=7)
    torch.testing.assert_close(reference.features, Projection()(images).features)
    mean, cov = moments(reference.features)
    assert torch.equal(reference.mean, mean)
    assert torch.equal(reference.cov, cov)
    assert (len(reference), reference.split, reference.extractor) == (30, "toy/test", "projection")


def test_fingerprint_is_that_of_all_pixels():
    images = pictures(2000)  # two parts
    found = Reference.build(Projection(), images, split="toy").fingerprint
    assert found == weights_sha256({"images": images})


def test_is_found_again(tmp_path):
    first = Reference.build(Counting(), pictures(30), split="toy", cache=tmp_path / "new" / "folder")
    second = Reference.build(Counting(), pictures(30), split="toy", cache=tmp_path / "new" / "folder")
    assert Counting.calls == 1
    assert same(first, second)
    assert first.fingerprint == second.fingerprint


def test_other_pixels_split_weights_or_preprocessing_are_other_references(tmp_path):
    def build(images=None, split="toy", **attributes):
        extractor = Counting()
        for name, value in attributes.items():
            setattr(extractor, name, value)
        Reference.build(extractor, pictures(30) if images is None else images, split=split, cache=tmp_path)
        return Counting.calls

    changed = pictures(30)
    changed[3, 0, 1, 2] ^= 1
    assert build() == 1
    assert build(changed) == 2
    assert build(pictures(29)) == 3
    assert build(split="toy/train") == 4
    assert build(weights_sha256="1" * 64) == 5
    assert build(preprocessing="resized") == 6
    assert build() == 6


def test_a_damaged_file_is_made_again(tmp_path, caplog):
    first = Reference.build(Counting(), pictures(30), split="toy", cache=tmp_path)
    (path,) = tmp_path.glob("*.safetensors")
    content = path.read_bytes()
    flipped = bytearray(content)
    flipped[-5] ^= 1
    for damaged in (content[: len(content) // 2], bytes(flipped), b""):
        path.write_bytes(damaged)
        assert same(first, Reference.build(Counting(), pictures(30), split="toy", cache=tmp_path))
        assert same(first, Reference.build(Counting(), pictures(30), split="toy", cache=tmp_path))
    assert caplog.text.count("is damaged") == 3
    assert Counting.calls == 4


def test_a_folder_that_can_not_be_written_costs_only_the_cache(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    reference = Reference.build(Counting(), pictures(30), split="toy", cache=tmp_path / "file" / "cache")
    assert len(reference) == 30
    assert "can't be kept" in caplog.text


def build_in_process(folder, barrier, queue):
    barrier.wait()
    reference = Reference.build(Counting(), pictures(30), split="toy", cache=folder)
    queue.put((Counting.calls, float(reference.mean.sum())))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="starts the processes by forking")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_several_processes_want_it_at_once(tmp_path):
    context = multiprocessing.get_context("fork")
    barrier, queue = context.Barrier(4), context.Queue()
    processes = [context.Process(target=build_in_process, args=(tmp_path, barrier, queue)) for _ in range(4)]
    for process in processes:
        process.start()
    results = [queue.get(timeout=60) for _ in processes]
    for process in processes:
        process.join()
    assert sorted(calls for calls, _ in results) == [0, 0, 0, 1]
    assert len({total for _, total in results}) == 1


def test_the_usual_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("FORGER_CACHE", str(tmp_path))
    assert default_cache() == tmp_path / "references"


def test_what_is_no_set_of_images_is_refused(tmp_path):
    with pytest.raises(ValueError, match="uint8"):
        Reference.build(Projection(), torch.rand(4, 1, 4, 4), split="toy", cache=tmp_path)
    with pytest.raises(ValueError, match="at least 2 images, got 1"):
        Reference.build(Projection(), pictures(1), split="toy", cache=tmp_path)
