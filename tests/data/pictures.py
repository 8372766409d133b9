"""Small picture files for the tests of folders."""

import struct
import zlib

import numpy as np
from PIL import Image


def write(path, *, size=(12, 12), mode="RGB", seed=0, **options):
    """A picture of random pixels, and its array."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (size[1], size[0]) if mode == "L" else (size[1], size[0], len(mode))
    pixels = np.random.default_rng(seed).integers(256, size=shape, dtype=np.uint8)
    Image.fromarray(pixels).save(path, **options)
    return pixels


def deep_png(path, size=4):
    """A PNG with 16 bits a channel in RGB, which Pillow reads but can't write."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", size, size, 16, 2, 0, 0, 0)
    rows = b"".join(b"\0" + bytes(6 * size) for _ in range(size))
    blocks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + blocks)
