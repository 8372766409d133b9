"""Which scores may be ranked together."""

import json
from dataclasses import replace

import pytest

from forger.data.dataset import Split
from forger.data.images import digits
from forger.metrics.evaluations.autoencoding import Sparsity
from forger.metrics.passport import Passport, difference

PASSPORT = Passport(
    extractor="digits",
    weights_sha256="a" * 64,
    preprocessing="uint8 (1, 8, 8) / 255",
    n_real=497,
    n_fake=497,
    split="digits/test",
    fingerprint="b" * 64,
    weights="ema",
    seed=0,
)


def reason_against(one: Passport, other: Passport) -> str | None:
    return difference(one.to_dict(), other.to_dict())


def test_another_seed_or_version_is_no_difference_in_kind():
    assert reason_against(PASSPORT, replace(PASSPORT, seed=1, versions={"torch": "1.0"})) is None


@pytest.mark.parametrize("kept", ["ema", "raw"])
def test_the_only_weights_there_are_compare_with_those_that_were_chosen(kept):
    """A VAE has no average; it competes with GANs all the same."""
    only = replace(PASSPORT, weights="only")
    assert reason_against(replace(PASSPORT, weights=kept), only) is None
    assert reason_against(only, replace(PASSPORT, weights=kept)) is None
    assert reason_against(only, replace(PASSPORT, weights="none")) == "different generator weights: only and none"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"extractor": "inception"}, "different extractors: digits and inception"),
        ({"weights_sha256": "c" * 64}, "different weights of the extractor: aaaaaaaaaaaa and cccccccccccc"),
        ({"preprocessing": "resized"}, "different preprocessing: uint8 (1, 8, 8) / 255 and resized"),
        ({"n_real": 10}, "different numbers of real images: 497 and 10"),
        ({"n_fake": 5000}, "different numbers of fakes: 497 and 5000"),
        ({"fingerprint": "d" * 64}, "different reference images: bbbbbbbbbbbb and dddddddddddd"),
        (
            {"split": "faces/test", "fingerprint": "d" * 64},
            "different reference images: digits/test (bbbbbbbbbbbb) and faces/test (dddddddddddd)",
        ),
        ({"weights": "raw"}, "different generator weights: ema and raw"),
        ({"truncation": 0.5}, "different truncation: 1.0 and 0.5"),
    ],
)
def test_every_other_difference_is_named(change, reason):
    assert reason_against(PASSPORT, replace(PASSPORT, **change)) == reason


def test_equal_pictures_compare_under_any_name():
    assert reason_against(PASSPORT, replace(PASSPORT, split="copy of digits")) is None


def test_evaluations_without_an_extractor_know_their_split_by_its_contents():
    data = digits()
    passports = {
        (name, split): Sparsity().passport(None, replace(data, name=name), split, n=50, seed=0)
        for name in ("digits", "copy")
        for split in ("validation", "test")
    }
    assert difference(passports["digits", "test"], passports["copy", "test"]) is None
    reason = difference(passports["digits", "test"], passports["digits", "validation"])
    assert reason is not None
    assert "different reference images: digits/test (" in reason
    other = replace(data, test=Split({**data.test.arrays, "image": 255 - data.test.arrays["image"]}))
    assert difference(passports["digits", "test"], Sparsity().passport(None, other, "test", n=50, seed=0)) is not None


def test_through_json_and_back():
    assert Passport.from_dict(json.loads(json.dumps(PASSPORT.to_dict()))) == PASSPORT
    assert "torch" in PASSPORT.versions
