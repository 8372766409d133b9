"""Emoji: pictures of a font, of which what differs in skin tone alone stays in one split."""

import re

import pytest
import torch
from PIL import ImageFont

from forger.data import emoji as module
from forger.data.emoji import FONT, LIST, emoji
from running import without


@pytest.fixture(scope="module")
def data():
    for path, what, package in (
        (FONT, "colour font", "fonts-noto-color-emoji"),
        (LIST, "list of emoji", "unicode-data"),
    ):
        if not path.is_file():
            without(what, package)
    return emoji(32)


def test_some_3600_colour_pictures_with_their_groups(data):
    assert data.shape == (3, 32, 32)
    assert 3500 < sum(len(split) for split in data.splits.values()) < 4000
    assert all(0.07 < len(split) / len(data.train) < 0.2 for split in (data.validation, data.test))
    counts = sum(split.arrays["label"].bincount(minlength=9) for split in data.splits.values())
    assert data.classes == len(counts) == 9
    # People come in all skin tones.
    assert counts[1] > 1500
    assert counts.min() > 60


def test_pictures_stand_on_white_and_differ(data):
    images = torch.cat([split.arrays["image"] for split in data.splits.values()])
    corners = images[:, :, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert (corners > 200).double().mean() > 0.95
    assert len(images.flatten(1).unique(dim=0)) > 0.97 * len(images)
    # In the middle there is colour in most of them.
    middle = images[:, :, 8:24, 8:24].float()
    assert (middle.amax(1) - middle.amin(1)).flatten(1).amax(1).gt(60).double().mean() > 0.85


def test_no_picture_in_training_differs_in_skin_tone_alone_from_one_in_another_split(data, monkeypatch):
    groups = module._groups(LIST)
    texts = [text for members in groups.values() for text in members]
    # The pictures are replaced by their place in the list, so that the splits show it.
    rows = torch.arange(1, len(texts) + 1)
    images = torch.stack([rows // 256, rows % 256], dim=1).to(torch.uint8)[:, :, None, None].expand(-1, -1, 8, 8)
    monkeypatch.setattr(module, "kept", lambda *_: (images, {}))
    splits = {
        name: {re.sub("[\U0001f3fb-\U0001f3ff]", "", texts[int(a) * 256 + int(b) - 1]) for a, b, *_ in
               split.arrays["image"][:, :, 0, 0]}
        for name, split in emoji(8).splits.items()
    }  # fmt: skip
    assert "👍" in set().union(*splits.values())
    assert not splits["train"] & splits["test"]
    assert not splits["train"] & splits["validation"]
    assert not splits["validation"] & splits["test"]


def test_glyphs_are_those_of_the_font_shrunk(data):
    cell = module._drawn("🟥", ImageFont.truetype(str(FONT), module.POINTS))  # a red square with round corners
    assert cell is not None
    red, green, blue = cell.getpixel((68, 68))
    assert red > 180
    assert max(green, blue) < 90
    assert cell.getpixel((0, 0)) == (255, 255, 255)


def test_where_height_and_width_differ_an_emoji_stands_whole_in_the_middle(tmp_path, data):
    listed = tmp_path / "emoji-test.txt"
    listed.write_text("# group: Faces\n" + "\n".join(f"{0x1F600 + i:X} ; fully-qualified # x" for i in range(60)))
    square, wide, high = (
        emoji(size, emoji_list=str(listed)).train.arrays["image"] for size in (12, [12, 20], [20, 12])
    )
    assert wide.shape[1:] == (3, 12, 20)
    assert torch.equal(wide[..., 4:16], square)
    assert torch.equal(high[..., 4:16, :], square)
    assert wide[..., :4].unique().tolist() == wide[..., 16:].unique().tolist() == [255]


def test_what_the_font_lacks_is_left_out(tmp_path, data):
    listed = tmp_path / "emoji-test.txt"
    lines = [f"{0x1F600 + i:X} ; fully-qualified # x" for i in range(60)]
    lines += ["10FFFE ; fully-qualified # no character", "1F600 1F600 ; fully-qualified # two glyphs",
              "1F601 FE0F 20E3 ; minimally-qualified # left out"]  # fmt: skip
    listed.write_text("# group: Faces\n" + "\n".join(lines))
    assert sum(len(split) for split in emoji(16, emoji_list=str(listed)).splits.values()) == 60


def test_what_is_missing_is_named_with_its_package(tmp_path, monkeypatch):
    with pytest.raises(
        FileNotFoundError, match=r"apt-get install fonts-noto-color-emoji, or set data\.source\.font=FILE"
    ):
        emoji(font=str(tmp_path / "none.ttf"))
    (tmp_path / "font.ttf").write_text("no font")
    with pytest.raises(FileNotFoundError, match=r"apt-get install unicode-data, or set data\.source\.emoji_list=FILE"):
        emoji(font=str(tmp_path / "font.ttf"), emoji_list=str(tmp_path / "none.txt"))
    (tmp_path / "list.txt").write_text("no list")
    with pytest.raises(ValueError, match=r"list\.txt is no emoji-test\.txt"):
        emoji(font=str(tmp_path / "font.ttf"), emoji_list=str(tmp_path / "list.txt"))
    (tmp_path / "list.txt").write_text("# group: Faces\n1F600 ; fully-qualified # x")
    with pytest.raises(ValueError, match=r"font\.ttf can't be used as a font at 109 pixels"):
        emoji(font=str(tmp_path / "font.ttf"), emoji_list=str(tmp_path / "list.txt"))
