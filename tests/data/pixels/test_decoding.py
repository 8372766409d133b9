import logging
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from data.pictures import deep_png, write
from forger.data.collection import Files, decode_noting
from forger.data.pixels.decoding import decode, listing, log_conversions, suffixes
from forger.data.pixels.layout import Layout, Pixels


def test_a_picture_of_the_right_size_keeps_its_pixels(tmp_path):
    pixels = write(tmp_path / "a.png", size=(6, 6))
    decoded, notes = decode(tmp_path / "a.png", Layout.of(3, 6))
    assert np.array_equal(decoded.permute(1, 2, 0), pixels)
    assert decoded.dtype == torch.uint8
    assert notes == []


def test_pictures_are_cut_to_the_middle_square(tmp_path):
    wide = write(tmp_path / "wide.png", size=(11, 6))
    high = write(tmp_path / "high.png", size=(6, 10))
    assert np.array_equal(decode(tmp_path / "wide.png", Layout.of(3, 6))[0].permute(1, 2, 0), wide[:, 2:8])
    assert np.array_equal(decode(tmp_path / "high.png", Layout.of(3, 6))[0].permute(1, 2, 0), high[2:8])
    assert decode(tmp_path / "wide.png", Pixels(3))[0].shape == (3, 6, 11)


def test_shrinking_is_antialiased(tmp_path):
    board = np.indices((32, 32)).sum(0) % 2 * np.uint8(255)
    Image.fromarray(board.astype(np.uint8)).save(tmp_path / "a.png")
    small, _ = decode(tmp_path / "a.png", Layout.of(1, 8))
    assert small.float().sub(127.5).abs().max() <= 2


def test_transparency_is_laid_on_white(tmp_path):
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[..., 0] = 200
    pixels[..., 3] = [0, 51, 204, 255]
    Image.fromarray(pixels).save(tmp_path / "a.png")
    decoded, notes = decode(tmp_path / "a.png", Layout.of(3, 4))
    assert decoded[:, 0].T.tolist() == [[255, 255, 255], [244, 204, 204], [211, 51, 51], [200, 0, 0]]
    assert notes == ["transparency composited on white"]
    kept, notes = decode(tmp_path / "a.png", Layout.of(4, 4))
    assert np.array_equal(kept.permute(1, 2, 0), pixels)
    assert notes == []


def test_palettes_are_looked_up(tmp_path):
    indexed = Image.new("P", (4, 4), 1)
    indexed.putpalette([0, 0, 0, 10, 20, 30])
    indexed.save(tmp_path / "a.png")
    indexed.save(tmp_path / "b.png", transparency=1)
    decoded, notes = decode(tmp_path / "a.png", Layout.of(3, 4))
    assert decoded[:, 0, 0].tolist() == [10, 20, 30]
    assert notes == ["palette looked up"]
    assert decode(tmp_path / "b.png", Layout.of(3, 4))[0].unique().tolist() == [255]


@pytest.mark.parametrize(("mode", "suffix"), [("1", "png"), ("L", "png"), ("LA", "png"), ("CMYK", "jpg")])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_other_modes_become_what_was_asked_for(tmp_path, mode, suffix, channels):
    Image.new("RGB", (8, 8), "white").convert(mode).save(tmp_path / f"a.{suffix}")
    decoded, _ = decode(tmp_path / f"a.{suffix}", Layout.of(channels, 8))
    assert decoded.shape == (channels, 8, 8)
    assert decoded.unique().tolist() == [255]


def test_the_orientation_of_a_camera_is_applied(tmp_path):
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[:4] = 255
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    assert decode(tmp_path / "a.png", Layout.of(3, 8))[0][0, :, 0].tolist() == [0] * 4 + [255] * 4


@pytest.mark.parametrize("mode", ["I;16", "I", "F", "RGB16"])
def test_more_than_eight_bits_are_refused_by_name(tmp_path, mode):
    path = tmp_path / ("a.tif" if mode in "IF" else "a.png")
    if mode == "RGB16":
        deep_png(path)
        with Image.open(path) as picture:
            assert picture.mode == "RGB"  # Pillow would cut it in silence
    else:
        Image.new(mode, (4, 4)).save(path)
    with pytest.raises(ValueError, match=r"/a\.(png|tif): more than 8 bits a channel") as error:
        decode(path, Layout.of(3, 4))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("damage", ["cut", "text", "empty", "flipped"])
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_damaged_picture_is_named(tmp_path, damage, suffix):
    paths = [tmp_path / f"{name}.{suffix}" for name in "abc"]
    for path in paths:
        write(path, size=(64, 64))
    content = bytearray(paths[1].read_bytes())
    if damage == "flipped":
        content[8:12] = b"\xff\xff\xff\xff"
    paths[1].write_bytes({"cut": content[:900], "text": b"hello", "empty": b"", "flipped": content}[damage])
    if (damage, suffix) == ("flipped", "jpg"):
        return  # there the four bytes are a version and a density, of no consequence
    with pytest.raises(ValueError, match=rf"/b\.{suffix}: can't be read .*replace or remove it") as error:
        decode_noting(Files(tmp_path, paths), Layout.of(3, 16))
    assert "\n" not in str(error.value)


def test_a_picture_that_is_gone_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone.png is missing"):
        decode_noting(Files(tmp_path, [Path("gone.png")]), Layout.of(3, 8))


def test_many_pictures_keep_their_order_and_tell_what_was_done(tmp_path, caplog):
    arrays = [write(tmp_path / f"{i}.png", size=(8, 8), seed=i) for i in range(40)]
    Image.new("RGBA", (4, 4)).save(tmp_path / "x.png")
    paths = [*(tmp_path / f"{i}.png" for i in range(40)), tmp_path / "x.png"]
    with caplog.at_level(logging.INFO, "forger"):
        images, notes = decode_noting(Files(tmp_path, paths), Layout.of(3, 8))
        log_conversions(notes, len(paths), tmp_path)
    assert np.array_equal(images[:40].permute(0, 2, 3, 1), np.stack(arrays))
    assert caplog.messages == [f"41 pictures from {tmp_path}: 1 enlarged to 8, 1 transparency composited on white"]


def test_a_listing_is_sorted_and_leaves_out_what_is_hidden_or_no_picture(tmp_path):
    for name in ("b/2.JPG", "b/1.png", "a.webp", ".thumbs/x.png", "b/._1.png"):
        write(tmp_path / name)
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "c").symlink_to(tmp_path / "b")
    names = [path.as_posix() for path in listing(tmp_path)]
    assert names == ["a.webp", "b/1.png", "b/2.JPG", "c/1.png", "c/2.JPG"]


def test_what_is_no_picture_by_its_suffix_is_counted_in_one_line(tmp_path, caplog):
    for name in ("a.png", "b.heic", "c.HEIC", "more/notes.txt", "LICENSE", ".hidden.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with caplog.at_level(logging.INFO, "forger"):
        assert listing(tmp_path) == [Path("a.png")]
    assert caplog.messages == [
        f"{tmp_path}: left out what is no picture by its suffix: 2 .heic, 1 .txt, 1 without a suffix"
    ]
    (tmp_path / "a.png").unlink()
    with pytest.raises(ValueError, match=r"no pictures in .*; it has 2 .heic"):
        listing(tmp_path)


@pytest.mark.parametrize("suffix", [".jp2", ".avif", ".jfif", ".jpe"])
def test_what_pillow_reads_is_read(tmp_path, suffix):
    if suffix not in suffixes():
        pytest.skip(f"this Pillow has no {suffix}")
    pixels = write(tmp_path / f"a{suffix}", size=(16, 16), **({"quality": 95} if suffix != ".jp2" else {}))
    assert listing(tmp_path) == [Path(f"a{suffix}")]
    found = decode(tmp_path / f"a{suffix}", Pixels(3))[0].permute(1, 2, 0).numpy().astype(int)
    assert abs(found - pixels).mean() < 60  # the colours of noise are lost


def test_folders_without_pictures_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        listing(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="no pictures in"):
        listing(tmp_path)


def test_a_link_to_a_folder_that_it_lies_in_is_not_followed(tmp_path):
    write(tmp_path / "x" / "a.png")
    write(tmp_path / "elsewhere" / "b.png")
    (tmp_path / "x" / "circle").symlink_to(tmp_path / "x")
    (tmp_path / "x" / "deep").mkdir()
    (tmp_path / "x" / "deep" / "up").symlink_to("..")
    (tmp_path / "x" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "x")
    assert listing(tmp_path / "x") == [Path("a.png"), Path("more/b.png")]


def test_a_name_that_is_not_utf8_is_shown_as_bytes(tmp_path):
    write(tmp_path / "a.png")
    try:
        (tmp_path / "a.png").rename(tmp_path / os.fsdecode(b"\xff.png"))
    except OSError:
        pytest.skip("this file system takes no such name")
    with pytest.raises(ValueError, match=r"the name b'\\xff.png' is not UTF-8: rename it"):
        listing(tmp_path)
