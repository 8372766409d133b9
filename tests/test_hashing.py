"""One hash of weights for whoever has the same ones."""

import hashlib
import struct

import torch

from forger.hashing import weights_sha256


def test_weights_sha256_is_the_hash_of_names_types_shapes_and_bytes() -> None:
    state = {"b": torch.tensor([1.0, -2.0]), "a": torch.tensor(3, dtype=torch.int64)}
    by_hand = hashlib.sha256()
    by_hand.update(b'["a", "int64", []]\n' + struct.pack("<q", 3))
    by_hand.update(b'["b", "float32", [2]]\n' + struct.pack("<2f", 1.0, -2.0))
    assert weights_sha256(state) == by_hand.hexdigest()


def test_weights_sha256_sees_bits_and_not_layout() -> None:
    weights = torch.arange(12.0).reshape(3, 4)
    assert weights_sha256({"w": weights.t().contiguous().t()}) == weights_sha256({"w": weights})
    assert weights_sha256({"w": weights.reshape(4, 3)}) != weights_sha256({"w": weights})
    assert weights_sha256({"w": torch.tensor([0.0])}) != weights_sha256({"w": torch.tensor([-0.0])})
    nearly = weights.clone()
    nearly[2, 3] = torch.nextafter(nearly[2, 3], torch.tensor(100.0))
    assert weights_sha256({"w": nearly}) != weights_sha256({"w": weights})
    for dtype in (torch.bfloat16, torch.bool, torch.float16):
        assert len(weights_sha256({"w": torch.ones(2, 2, dtype=dtype)})) == 64
