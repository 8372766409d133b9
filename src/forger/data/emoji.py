"""Emoji: the glyphs of a colour font as pictures, a small real set in colour that needs no network."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import torch
from annotated_types import Ge, Le, MaxLen, MinLen
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from forger.data.collection import Files
from forger.data.dataset import Data, Split
from forger.data.images import hashed
from forger.data.pixels.decoding import as_tensor
from forger.data.pixels.layout import Layout
from forger.data.store import kept
from forger.sizes import sides

#: Where Debian's packages fonts-noto-color-emoji and unicode-data put them.
FONT = Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")
LIST = Path("/usr/share/unicode/emoji/emoji-test.txt")
#: The one size that Noto's bitmaps come in, and a square that holds them.
POINTS, CELL = 109, 136
#: Height and width of a picture alike, or both.
Side = Annotated[int, Ge(8), Le(CELL)]
Size = Side | Annotated[list[Side], MinLen(2), MaxLen(2)]
_SKIN_TONES = re.compile("[\U0001f3fb-\U0001f3ff]")


def emoji(size: Size = 32, font: str | None = None, emoji_list: str | None = None) -> Data:
    """The fully qualified emoji of Unicode (some 3,600), RGB on white, antialiased, of height and width `size`.

    Labels are Unicode's groups, in the order of its list: smileys, people, animals, food, travel, activities, objects,
    symbols, flags. `font`: a file with colour glyphs; by default Debian's Noto Color Emoji. `emoji_list`: Unicode's
    emoji-test.txt; by default that of Debian's unicode-data. What the font can't draw as one glyph is left out. A tenth
    each are test and validation, by a hash of the emoji without its skin tone: what differs in skin tone alone stays
    together.

    Raises:
        FileNotFoundError: font or list is missing.
        ValueError: they are no font and no list, or hold too few emoji.
    """
    drawn_by, listed_in = Path(font or FONT), Path(emoji_list or LIST)
    for path, package, key in ((drawn_by, "fonts-noto-color-emoji", "font"), (listed_in, "unicode-data", "emoji_list")):
        if not path.is_file():
            raise FileNotFoundError(f"there is no {path}: apt-get install {package}, or set data.source.{key}=FILE")
    groups = _groups(listed_in)
    texts = [text for members in groups.values() for text in members]
    labels = torch.tensor([label for label, members in enumerate(groups.values()) for _ in members])
    images, _ = kept(
        Files(drawn_by.parent, [drawn_by.absolute(), listed_in.absolute()]),
        ("emoji", size),
        lambda: _draw(texts, drawn_by, size),
    )
    there = images.flatten(1).any(1)
    place = torch.tensor([int.from_bytes(hashed(f"emoji/{_SKIN_TONES.sub('', text)}")) / 2**64 for text in texts])

    def split(low: float, high: float) -> Split:
        rows = (there & (place >= low) & (place < high)).nonzero().flatten()
        if not len(rows):
            raise ValueError(f"{drawn_by} draws {int(there.sum())} emoji, too few to be split")
        return Split({"image": images[rows], "label": labels[rows]})

    return Data("emoji", train=split(0.2, 1), validation=split(0.1, 0.2), test=split(0, 0.1), classes=len(groups))


def _groups(path: Path) -> dict[str, list[str]]:
    """The fully qualified emoji of emoji-test.txt, by group."""
    groups: dict[str, list[str]] = {}
    name = ""
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("# group:"):
            name = line.partition(":")[2].strip()
        elif found := re.match(r"([0-9A-F ]+); fully-qualified\b", line):
            groups.setdefault(name, []).append("".join(chr(int(code, 16)) for code in found[1].split()))
    if not groups:
        raise ValueError(f"{path} is no emoji-test.txt: it has no fully qualified emoji")
    return groups


def _draw(texts: list[str], path: Path, size: int | Sequence[int]) -> tuple[Tensor, Mapping[str, int]]:
    """Pictures, uint8 (n, 3, height, width), centred on white; all zero for what is not one glyph of the font."""
    try:
        font = ImageFont.truetype(str(path), POINTS)
    except OSError as error:
        raise ValueError(f"{path} can't be used as a font at {POINTS} pixels ({error})") from error
    absent = _drawn("\U0010fffe", font)  # no character, hence what the font draws for one it lacks
    height, width = sides(size)
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    result = torch.zeros(len(texts), 3, height, width, dtype=torch.uint8)
    notes = Counter[str]()
    for text, picture in zip(texts, result, strict=True):
        cell = _drawn(text, font)
        if cell is None or cell == absent:
            notes["not in the font"] += 1
        else:
            picture.fill_(255)
            picture[:, top : top + side, left : left + side] = as_tensor(Layout.of(3, side).fitted(cell))
    return result, notes


def _drawn(text: str, font: ImageFont.FreeTypeFont) -> Image.Image | None:
    """An emoji in the middle of a white square; None where it is wider than one glyph."""
    left, top, right, bottom = font.getbbox(text)
    if right - left > CELL:
        return None
    cell = Image.new("RGB", (CELL, CELL), "white")
    corner = ((CELL - left - right) / 2, (CELL - top - bottom) / 2)
    ImageDraw.Draw(cell).text(corner, text, font=font, embedded_color=True)
    return cell
