"""The process's stdin, stdout and stderr, made so that printing never fails for want of a letter or a stream."""

import codecs
import os
import sys
import unicodedata

#: What forger prints beyond ASCII, as it is written where the output can't hold it.
_PLAIN = {
    "±": "+-", "…": "...", "→": "->", "↔": "<->", "×": "x", "−": "-", "–": "-", "—": "-", "·": "*", "≤": "<=",
    "≥": ">=", "√": "sqrt", "∞": "inf", "≈": "~", "“": '"', "”": '"', "‘": "'", "’": "'",
}  # fmt: skip
_HANDLER = "forger.plain"


def settle() -> None:
    """Open the null device for each stream that was closed, and replace letters that an encoding does not have.

    A closed descriptor would be given to the next file that is opened, a checkpoint for example, and be written to by
    whatever prints. Call it once, before anything is opened.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    codecs.register_error(_HANDLER, _plain)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=_HANDLER)


def _plain(error: UnicodeError) -> tuple[str | bytes, int]:
    """What stands for the first letter that can't be encoded, and where to go on.

    A spelling, the letter without its accent, or a question mark; of a file name that is no text, its own byte.
    """
    assert isinstance(error, UnicodeEncodeError)
    letter = error.object[error.start]
    if "\udc80" <= letter <= "\udcff":
        return bytes([ord(letter) - 0xDC00]), error.start + 1
    base = unicodedata.normalize("NFKD", letter)[0]
    return _PLAIN.get(letter) or (base if base.isascii() else "?"), error.start + 1


def printable(text: str) -> str:
    """The text with control characters spelled out, so that a name from a stranger's record can't steer a terminal.

    Lines stay lines; the bytes of a file name that is no text stay what they are.
    """
    return "".join(
        letter if letter.isprintable() or letter == "\n" or "\udc80" <= letter <= "\udcff"
        else letter.encode("unicode_escape").decode()
        for letter in text
    )  # fmt: skip
