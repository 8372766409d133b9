"""DICOM: medical pictures, their values in the unit that the file gives."""

from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image

from forger.errors import Unfit

#: Suffixes of DICOM files; those without a suffix are known by their content.
SUFFIXES = frozenset({".dcm", ".dicom"})


def is_dicom(source: Path | IO[bytes]) -> bool:
    """Whether a file begins as DICOM part 10 says: 128 bytes of anything, then DICM."""
    if isinstance(source, Path):
        with source.open("rb") as file:
            return is_dicom(file)
    source.seek(0)
    head = source.read(132)
    source.seek(0)
    return head[128:] == b"DICM"


def without_suffix(path: Path) -> bool:
    """Whether a file is DICOM although no suffix says so, which is how archives of hospitals name their files."""
    if (path.suffix and not path.suffix[1:].isdigit()) or path.name == "DICOMDIR":
        return False
    try:
        return path.is_file() and is_dicom(path)
    except OSError:
        return False


def pixels(source: Path | IO[bytes]) -> np.ndarray:
    """The picture of a DICOM file, (h, w) or (h, w, 3): float32 after rescale slope and intercept, in the file's unit.

    It is uint8 where no more is stored and nothing is rescaled. MONOCHROME1, in which low is bright, is inverted
    within the bits that are stored; YBR becomes RGB.

    Raises:
        Unfit: several frames, a palette, a compression that nothing here decodes, too many pixels, or no pydicom.
    """
    try:
        import pydicom
        from pydicom.pixels.processing import apply_modality_lut
        from pydicom.pixels.utils import pixel_array
    except ModuleNotFoundError:
        raise Unfit("DICOM needs the package pydicom: pip install 'forger[medical]'") from None

    file = pydicom.dcmread(source)
    kind = _check(file)
    try:
        stored = pixel_array(file)
    except (RuntimeError, NotImplementedError, AttributeError) as error:
        compression = file.file_meta.TransferSyntaxUID
        if not compression.is_compressed:
            raise
        raise Unfit(
            f"compressed as {compression.name}, for which pydicom finds no decoder: decompress it, or pip install "
            "pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg"
        ) from error
    if kind == "MONOCHROME1":
        stored = ~stored if stored.dtype.kind == "i" else (1 << int(file.BitsStored)) - 1 - stored
    values = apply_modality_lut(stored, file)
    rescaled = "ModalityLUTSequence" in file or (file.get("RescaleSlope", 1), file.get("RescaleIntercept", 0)) != (1, 0)
    if int(file.BitsAllocated) == 8 and stored.dtype.kind != "i" and not rescaled:
        return values.astype(np.uint8)
    return values.astype(np.float32)


def _check(file: Any) -> str:
    """What its values mean, after a look at the header."""
    if not any(name in file for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        raise Unfit("a DICOM file without a picture")
    frames = int(file.get("NumberOfFrames") or 1)
    if frames > 1:
        raise Unfit(f"a DICOM file of {frames} frames: save each as a file of its own, or all as .npy")
    most = 2 * (Image.MAX_IMAGE_PIXELS or 2**31)
    if int(file.Rows) * int(file.Columns) > most:
        raise Unfit(f"{file.Columns}x{file.Rows} pixels, more than {most:,}")
    kind = str(file.PhotometricInterpretation)
    if kind not in ("MONOCHROME1", "MONOCHROME2", "RGB") and not kind.startswith("YBR"):
        raise Unfit(f"a DICOM file of {kind}: only MONOCHROME1, MONOCHROME2, RGB and YBR are read")
    return kind
