"""Volumes that cannot be used, or hardly, made from a seed: by name, the bytes of each file."""

import gzip
import io
import struct
from collections.abc import Iterator
from typing import Any

import nibabel as nib
import numpy as np

from tests.faults.pictures import flipped

Generator = np.random.Generator
SHAPE = (9, 8, 7)


def bad_volumes(rng: Generator) -> Iterator[tuple[str, bytes]]:
    """Files that no bundle for MR can use: every one must be a failed row."""
    noise = rng.normal(100, 10, SHAPE).astype(np.float32)
    good = nifti(noise)
    packed = gzip.compress(good)
    for ending, content in (("nii", good), ("nii.gz", packed)):
        yield f"empty_{ending}.{ending}", b""
        yield f"cut_{ending}.{ending}", content[: int(rng.integers(20, len(content) // 2))]
        yield f"noise_{ending}.{ending}", rng.bytes(700)
        yield f"zeros_{ending}.{ending}", bytes(700)
    yield "header_alone.nii", good[:352]
    yield "cut_within_the_sum.nii.gz", packed[:-4]
    yield "wrong_sum.nii.gz", packed[:-8] + bytes([packed[-8] ^ 1]) + packed[-7:]
    yield "gzip_of_nothing.nii.gz", gzip.compress(b"")
    yield "gzip_of_text.nii.gz", gzip.compress(b"hello")
    yield "bomb.nii.gz", gzip.compress(with_header(good, dim=(3, 30_000, 30_000, 30_000)) + bytes(10**6))
    for ending in ("mha", "nrrd", "mgz", "mgh", "mhd", "nhdr", "hdr"):
        yield f"empty_{ending}.{ending}", b""
        yield f"text_{ending}.{ending}", b"not a volume\n"
    yield (
        "no_file.mhd",
        b"ObjectType = Image\nNDims = 3\nDimSize = 9 8 7\nElementType = MET_SHORT\nElementDataFile = no\n",
    )
    yield (
        "outside.nhdr",
        (b"NRRD0004\ntype: short\ndimension: 3\nsizes: 9 8 7\nencoding: raw\ndata file: ../../../etc/hostname\n\n"),
    )
    yield "sizes.nrrd", b"NRRD0004\ntype: short\ndimension: 3\nsizes: 99999 99999 99999\nencoding: raw\n\n"
    yield "negative_of.nrrd", b"NRRD0004\ntype: short\ndimension: 3\nsizes: -9 8 7\nencoding: raw\n\n" + bytes(1008)
    yield "sizes_of.mgh", struct.pack(">7i", 1, 2**30, 2**30, 2**30, 1, 3, 0) + bytes(300)
    yield "picture_called.nii", b"\x89PNG\r\n\x1a\n" + rng.bytes(50)
    for name, dims in (
        ("no_voxels", (3, 0, 8, 7)), ("negative", (3, -9, 8, 7)), ("huge", (3, 32767, 32767, 32767)),
        ("no_dims", (0, 0, 0, 0)), ("eleven_dims", (11, 9, 8, 7)), ("time_points", (4, 9, 8, 7, 30_000)),
    ):  # fmt: skip
        yield f"{name}.nii", with_header(good, dim=dims)
    yield "unknown_type.nii", with_header(good, datatype=99)
    yield "rgb_type.nii", with_header(good, datatype=128)
    yield "complex.nii", nifti(noise.astype(np.complex64))
    yield "far_offset.nii", with_header(good, vox_offset=1e12)
    yield "nan_offset.nii", with_header(good, vox_offset=np.nan)
    for name, value in (("nan", np.nan), ("inf", np.inf)):
        array = noise.copy()
        array[1, 2, 3] = value
        yield f"{name}_voxel.nii", nifti(array)
        yield f"{name}_affine.nii", with_header(good, srow_x=(value, 0, 0, 0))
    yield "constant.nii.gz", gzip.compress(nifti(np.full(SHAPE, 5, np.int16)))
    yield "flat_affine.nii", with_header(good, srow_x=(0, 0, 0, 0))
    yield "sheared_affine.nii", with_header(good, srow_x=(1, 0.5, 0, 0))
    yield "metre_voxels.nii", nifti(noise, np.diag([1000.0, 1000, 1000, 1]))
    yield "spacing_90mm.nii", nifti(rng.normal(0, 1, (60, 60, 60)).astype(np.float32), np.diag([90.0, 90, 90, 1]))
    yield "two_dims.nii", nifti(noise[0])
    yield "four_dims.nii", nifti(np.stack([noise] * 3, axis=-1))
    yield "five_dims.nii", nifti(np.stack([noise] * 3, axis=-1)[..., None, :])


def damaged_volumes(rng: Generator, count: int) -> Iterator[tuple[str, bytes]]:
    """Files of which some bits are others, half of them in the header: each is a row, done or failed."""
    good = nifti(rng.normal(100, 10, SHAPE).astype(np.float32))
    packed = gzip.compress(good)
    for number in range(count):
        if number % 4 == 3:
            yield f"flipped_{number}.nii.gz", flipped(packed, rng)
        elif number % 4 == 2:
            yield f"flipped_{number}.nii", flipped(good, rng)
        else:
            yield f"flipped_{number}.nii", flipped(good, rng, within=348)


def nifti(array: np.ndarray, affine: np.ndarray | None = None) -> bytes:
    image = nib.Nifti1Image(array, np.eye(4) if affine is None else affine)
    file = io.BytesIO()
    image.to_stream(file)
    return file.getvalue()


def with_header(content: bytes, **fields: Any) -> bytes:
    """A NIfTI file with other values in fields of its header, where `dim` has as many as are given."""
    header = nib.Nifti1Header(content[:348], check=False)
    for name, value in fields.items():
        if name == "dim":
            header["dim"][: len(value)] = value
        else:
            header[name] = value
    return bytes(header.binaryblock) + content[348:]
