"""Pictures put together, with captions, one below another."""

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

_SIZE = 13
_MARGIN = 6
_LINE = _SIZE + _MARGIN


def captioned(
    picture: Image.Image,
    title: str = "",
    *,
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
    below: Sequence[str] = (),
) -> Image.Image:
    """The picture on white, with a title above.

    ``rows`` are written beside its equally high rows, ``columns`` above and ``below`` under its equally wide
    columns.
    """
    font = ImageFont.load_default(_SIZE)
    left = max((round(font.getlength(name)) + 2 * _MARGIN for name in rows), default=0)
    lines = _wrapped(title, font, left + picture.width - 2 * _MARGIN)
    top = _LINE * (len(lines) + bool(columns)) + (_MARGIN if lines or columns else 0)
    bottom = top + picture.height
    page = Image.new("RGB", (left + picture.width, bottom + _LINE * bool(below)), "white")
    page.paste(picture, (left, top))
    pen = ImageDraw.Draw(page)
    for index, words in enumerate(lines):
        pen.text((_MARGIN, _MARGIN / 2 + index * _LINE), words, "black", font)
    for index, name in enumerate(rows):
        height = top + (index + 0.5) * picture.height / len(rows)
        pen.text((left - _MARGIN, height), name, "black", font, "rm")
    for names, height, anchor in ((columns, top - _MARGIN / 2, "md"), (below, bottom, "ma")):
        for index, name in enumerate(names):
            pen.text((left + (index + 0.5) * picture.width / len(names), height), name, "black", font, anchor)
    return page


def stacked(pictures: Sequence[Image.Image]) -> Image.Image:
    """Pictures one below another on white."""
    page = Image.new("RGB", (max(p.width for p in pictures), sum(p.height for p in pictures)), "white")
    top = 0
    for each in pictures:
        page.paste(each, (0, top))
        top += each.height
    return page


def _wrapped(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: float) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        if lines and font.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
