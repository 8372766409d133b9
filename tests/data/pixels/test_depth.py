"""Pictures of 16 bits and floats are read as deep as they are stored, in every form."""

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pydicom
import pytest
import torch
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGLSLossless

from data import deep
from data.deep import dicom
from forger.data.files import extremes, files, seen
from forger.data.pixels.decoding import decode, listing
from forger.data.pixels.depth import depth_of
from forger.data.pixels.layout import Layout
from forger.data.pixels.picture_files import picture_file
from forger.data.pixels.ranges import ValueRange

#: All 65,536 levels, in four pictures.
LEVELS = np.arange(65536, dtype=np.uint16).reshape(4, 128, 128)
COLOURS = np.stack([LEVELS, LEVELS[::-1], LEVELS // 3], axis=-1)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FORGER_CACHE", str(tmp_path / "cache"))


def read(place: Path, **more):
    """The data set of a place as a config would have it, and its pictures, N×C×H×W, in any order."""
    found = seen(str(place))
    if found["depth"] == "float32":
        more = {"range": extremes(str(place))} | more
    data = files(str(place), found["size"], found["channels"], depth=found["depth"], **more)
    return data, torch.cat([split.arrays["image"] for split in data.splits.values()])


def same(pictures: torch.Tensor, expected: np.ndarray) -> bool:
    expected = expected if expected.ndim == 4 else expected[..., None]
    rows = [picture.transpose(2, 0, 1).tobytes() for picture in expected]
    return sorted(picture.numpy().tobytes() for picture in pictures) == sorted(rows)


@pytest.mark.parametrize("pictures", [LEVELS, COLOURS], ids=["grey", "colour"])
@pytest.mark.parametrize("form", [deep.png, deep.tiff, deep.npy, deep.npz], ids=lambda form: form.__name__)
def test_all_levels_of_16_bits_come_back_in_every_form(form, pictures, tmp_path):
    data, images = read(form(tmp_path, pictures))
    assert data.values == ValueRange.of("uint16")
    assert images.dtype == torch.uint16
    assert same(images, pictures)
    assert torch.equal(data.values.to_pixels(data.values.to_float(images)), images)


def test_all_levels_come_back_from_a_zip(tmp_path):
    folder = deep.png(tmp_path, LEVELS)
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as archive:
        for path in sorted(folder.iterdir()):
            archive.write(path, path.name)
    zipped, images = read(tmp_path / "pictures.zip")
    assert same(images, LEVELS)
    splits = [read(place)[0].splits for place in (folder, deep.npy(tmp_path, LEVELS))]
    for name, split in zipped.splits.items():
        assert all(torch.equal(other[name].arrays["image"], split.arrays["image"]) for other in splits)


@pytest.mark.parametrize("form", [deep.tiff, deep.npy, deep.npz], ids=lambda form: form.__name__)
def test_floats_come_back_in_their_unit(form, tmp_path):
    pictures = np.random.default_rng(0).normal(size=(9, 16, 16)).astype(np.float32) * 300
    data, images = read(form(tmp_path, pictures))
    assert same(images, pictures)
    train = data.train.arrays["image"]
    assert (data.values.low, data.values.high) == (train.min().item(), train.max().item())
    error = (data.values.to_pixels(data.values.to_float(train)) - train).abs().max()
    assert error <= 1e-6 * (data.values.high - data.values.low)


def test_a_dicom_is_in_the_unit_of_its_rescaling_whatever_its_name(tmp_path):
    units = np.random.default_rng(0).integers(-1024, 3072, (6, 16, 16)).astype(np.float32)
    folder = deep.tomograms(tmp_path, units)
    for number, path in enumerate(sorted(folder.iterdir())[:3]):
        path.rename(folder / ("1.2.840.10008" if number else "IM0001"))
        (folder / "DICOMDIR").write_bytes(bytes(128) + b"DICM")
    data, images = read(folder)
    assert len(images) == 5  # one name was given twice
    assert data.values.depth == "float32"
    assert {picture.numpy().tobytes() for picture in images} < {picture.tobytes() for picture in units}


def test_low_is_dark_in_a_dicom_of_monochrome1(tmp_path):
    stored = np.random.default_rng(0).integers(0, 4096, (6, 8, 8)).astype(np.uint16)
    for number, pixels in enumerate(stored):
        more = {"RescaleSlope": 2, "RescaleIntercept": -5}
        (tmp_path / "deep").mkdir(exist_ok=True)
        dicom(tmp_path / "deep" / f"{number}.dcm", pixels, "MONOCHROME1", bits=12, **more)
    assert same(read(tmp_path / "deep")[1], 2 * (4095 - stored.astype(np.float32)) - 5)


def test_a_dicom_of_8_bits_is_a_picture_of_8_bits(tmp_path):
    stored = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3)).astype(np.uint8)
    for number, pixels in enumerate(stored):
        dicom(tmp_path / f"{number}.dcm", pixels)
    data, images = read(tmp_path)
    assert data.values == ValueRange()
    assert same(images, stored)


def test_deep_pictures_are_resized_without_steps(tmp_path):
    ramp = np.tile(np.linspace(0, 65535, 64).round().astype(np.uint16), (64, 1))
    deep.npy(tmp_path, np.stack([ramp, *LEVELS[1:3, :64, :64]]))
    data = files(str(tmp_path / "pictures.npy"), 16, 1, depth="uint16")
    rows = [split.arrays["image"][0, 0, 5].double() for split in data.splits.values()]
    expected = (torch.arange(16) * 4 + 1.5) * 65535 / 63
    assert min(float((row - expected)[2:-2].abs().max()) for row in rows) < 2


def test_transparency_of_16_bits_is_laid_on_white(tmp_path):
    pixels = np.full((4, 8, 8, 4), 10000, np.uint16)
    pixels[..., 3] = 13107  # a fifth
    pixels[:, 0, 0, 0] = range(4)
    _, images = read(deep.png(tmp_path, pixels))
    assert images[:, 1:].unique().tolist() == [54428]  # 10,000 / 5 + 65,535 · 4 / 5


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def jpeg_ls(path: Path) -> None:
    file = pydicom.dcmread(path)
    file.file_meta.TransferSyntaxUID = JPEGLSLossless
    file.PixelData = encapsulate([bytes(64)])
    file["PixelData"].is_undefined_length = True
    file.save_as(path)


def frames(path: Path) -> None:
    dicom(path, np.zeros((3, 16, 16), np.uint16), NumberOfFrames=3)


def palette(path: Path) -> None:
    dicom(path, np.zeros((16, 16), np.uint8), "PALETTE COLOR")


@pytest.mark.parametrize(
    ("form", "damage", "line"),
    [
        (deep.png, cut, "can't be read ("),
        (deep.tiff, cut, "can't be read ("),
        (deep.tomograms, cut, "can't be read ("),
        (deep.tomograms, jpeg_ls, "compressed as JPEG-LS Lossless Image Compression, for which"),
        (deep.tomograms, frames, "a DICOM file of 3 frames: save each"),
        (deep.tomograms, palette, "a DICOM file of PALETTE COLOR"),
    ],
    ids=lambda value: getattr(value, "__name__", "line"),
)  # fmt: skip
def test_what_is_damaged_or_not_read_is_named_in_a_line(form, damage, line, tmp_path):
    pictures = np.random.default_rng(0).integers(0, 3000, (6, 16, 16)).astype(np.uint16)
    folder = form(tmp_path, pictures)
    path = sorted(folder.iterdir())[2]
    damage(path)
    with pytest.raises(ValueError, match="^" + str(path)) as error:
        read(folder)
    assert str(error.value).startswith(f"{path}: {line}")
    assert "\n" not in str(error.value)


def test_a_bmp_of_16_bits_a_pixel_has_8_bits_a_channel(tmp_path):
    """5 bits of red, 6 of green and 5 of blue, as masks in its header say."""
    pixels, masks = struct.pack("<H", 0xF800) * 64, struct.pack("<3I", 0xF800, 0x7E0, 0x1F)
    header = struct.pack("<IiiHHIIiiII", 40, 8, 8, 1, 16, 3, len(pixels), 0, 0, 0, 0) + masks
    start = 14 + len(header)
    (tmp_path / "red.bmp").write_bytes(
        struct.pack("<2sIHHI", b"BM", start + len(pixels), 0, 0, start) + header + pixels
    )
    with Image.open(tmp_path / "red.bmp") as picture:
        assert depth_of(picture) == "uint8"
    assert decode(tmp_path / "red.bmp", None)[0][:3, 0, 0].tolist() == [255, 0, 0]


def test_signed_numbers_of_16_bits_are_floats_in_either_byte_order(tmp_path):
    for order, name in ((">", b"MM"), ("<", b"II")):
        # Width, height, bits, compression, photometry, strip, samples, rows, bytes of the strip, sample format.
        entries = ((256, 4, 2), (257, 4, 1), (258, 3, 16), (259, 3, 1), (262, 3, 1), (273, 4, 8), (277, 3, 1),
                   (278, 4, 1), (279, 4, 4), (339, 3, 2))  # fmt: skip
        listed = b"".join(
            struct.pack(f"{order}HHI{'H2x' if kind == 3 else 'I'}", tag, kind, 1, value) for tag, kind, value in entries
        )
        head = name + struct.pack(f"{order}HI", 42, 12) + struct.pack(f"{order}2h", -5, 7)
        (tmp_path / "x.tiff").write_bytes(head + struct.pack(f"{order}H", len(entries)) + listed + bytes(4))
        pixels = decode(tmp_path / "x.tiff", None)[0]
        assert (pixels.dtype, pixels.flatten().tolist()) == (torch.float32, [-5, 7])


def test_a_folder_of_arrays_is_one_of_pictures_where_there_are_no_others(tmp_path):
    pictures = np.random.default_rng(0).integers(2**16, size=(30, 8, 10, 7), dtype=np.uint16)
    folder = deep.folder(tmp_path / "arrays", pictures, np.save, ".npy")
    whole = read(deep.npy(tmp_path, pictures))
    assert read(folder)[0].fingerprint == whole[0].fingerprint
    Image.new("L", (8, 8)).save(folder / "a.png")
    assert listing(folder) == [Path("a.png")]


def test_one_of_another_depth_is_named(tmp_path):
    folder = deep.png(tmp_path, LEVELS)
    Image.new("L", (128, 128)).save(folder / "eight.png")
    with pytest.raises(ValueError, match=r"eight\.png: pixels of uint8 among others of uint16"):
        read(folder)
    with pytest.raises(ValueError, match=r"\d\.png: more than 8 bits a channel"):
        files(str(folder), 128, 1)


def test_floats_without_a_range_or_with_nan_are_refused(tmp_path):
    pictures = np.arange(320, dtype=np.float32).reshape(5, 8, 8)
    with pytest.raises(ValueError, match=r"data\.range=null: pixels of float32 need"):
        files(str(deep.npy(tmp_path, pictures)), 8, 1, depth="float32")
    pictures[3, 2, 1] = np.nan
    with pytest.raises(ValueError, match=r"pictures\.npy: array\[3\]: its pixels hold NaN"):
        read(deep.npy(tmp_path, pictures))


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("depth", ["uint8", "uint16", "float32"])
def test_a_file_of_a_sample_holds_all_of_it(depth, channels):
    pixels = (torch.rand(channels, 5, 7, generator=torch.Generator().manual_seed(0)) * 255).to(getattr(torch, depth))
    suffix, content = picture_file(pixels)
    if suffix == ".npy":
        assert np.array_equal(np.load(io.BytesIO(content)), pixels.permute(1, 2, 0))
        return
    from forger.data.pixels.decoding import read as decoded
    from forger.data.pixels.planes import open_picture

    layout = Layout(channels, 5, 7, "none", depth)
    assert torch.equal(decoded("a", lambda: open_picture(io.BytesIO(content)), layout)[0], pixels)
