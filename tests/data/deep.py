"""Pictures of more than 8 bits a channel, written in the forms in which people have them."""

from pathlib import Path

import numpy as np
import tifffile
import torch
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

from forger.data.pixels.picture_files import picture_file


def folder(root: Path, pictures: np.ndarray, write, suffix: str) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for number, pixels in enumerate(pictures):
        write(root / f"{number:03}{suffix}", pixels)
    return root


def png(root: Path, pictures: np.ndarray) -> Path:
    """By Pillow the grey ones; it has no colours of 16 bits."""
    return folder(root / "png", pictures, _png, ".png")


def _png(path: Path, pixels: np.ndarray) -> None:
    if pixels.ndim == 2:
        Image.fromarray(pixels).save(path)
    else:
        path.write_bytes(picture_file(torch.from_numpy(pixels).permute(2, 0, 1))[1])


def tiff(root: Path, pictures: np.ndarray) -> Path:
    return folder(root / "tiff", pictures, lambda path, pixels: tifffile.imwrite(path, pixels), ".tif")


def npy(root: Path, pictures: np.ndarray) -> Path:
    np.save(root / "pictures.npy", pictures)
    return root / "pictures.npy"


def npz(root: Path, pictures: np.ndarray) -> Path:
    np.savez_compressed(root / "pictures.npz", images=pictures)
    return root / "pictures.npz"


def dicom(path: Path, stored: np.ndarray, kind: str = "MONOCHROME2", bits: int | None = None, **more) -> None:
    """A DICOM file of part 10, with stored values (h, w), (h, w, 3) or, with NumberOfFrames, (n, h, w)."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file = FileDataset(str(path), {}, file_meta=meta, preamble=bytes(128))
    file.SOPClassUID, file.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    shape = stored.shape[1:] if "NumberOfFrames" in more else stored.shape
    file.Rows, file.Columns = shape[:2]
    file.SamplesPerPixel = shape[2] if len(shape) == 3 else 1
    if file.SamplesPerPixel == 3:
        file.PlanarConfiguration, kind = 0, "RGB"
    file.PhotometricInterpretation = kind
    file.BitsAllocated = 8 * stored.dtype.itemsize
    file.BitsStored = bits or file.BitsAllocated
    file.HighBit = file.BitsStored - 1
    file.PixelRepresentation = int(stored.dtype.kind == "i")
    for name, value in more.items():
        setattr(file, name, value)
    file.PixelData = stored.tobytes()
    file["PixelData"].VR = "OB" if stored.dtype.itemsize == 1 else "OW"
    file.save_as(path, enforce_file_format=True)


def tomograms(root: Path, pictures: np.ndarray) -> Path:
    """CT as scanners write it: whole numbers, whose slope and intercept give Hounsfield units."""

    def write(path: Path, pixels: np.ndarray) -> None:
        dicom(path, (pixels + 1024).astype(np.int16), RescaleSlope=1, RescaleIntercept=-1024)

    return folder(root / "ct", pictures, write, ".dcm")
