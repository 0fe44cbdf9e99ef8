"""A segmentation of a DICOM series as DICOM SEG, which viewers and archives (PACS) show over the series."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import shared
from shared.errors import InputError, one_line
from shared.files import write_atomically
from shared.images.dicom_series import files_of_series, is_dicom, is_one_of_several
from shared.tasks.segmentation.dicom_codes import ANATOMY, code_of, side_of

if TYPE_CHECKING:
    from highdicom.seg import SegmentDescription

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
NAME = "monai-bundle-zoo"
SERIES_NUMBER = 900  # beyond those that scanners give


def check_installed() -> None:
    """Raise InputError where highdicom is missing."""
    if find_spec("highdicom") is None:
        raise InputError(
            "--dicom_seg", expected="the package highdicom", got="none", fix="pip install 'monai-bundle-zoo[dicomseg]'"
        )


def is_series(path: str | Path) -> bool:
    """Whether an image's path is that of a DICOM series."""
    path = Path(path)
    return path.is_dir() or is_one_of_several(path) or (path.is_file() and is_dicom(path))


def seg_name(case: str) -> str:
    """What the file of a case is called."""
    return f"{case}_seg.dcm"


def write_dicom_seg(
    path: Path, labels: np.ndarray, affine: np.ndarray, *, series: Path, class_names: Sequence[str]
) -> Path:
    """Write class ids `labels`, (x, y, z), on the grid `affine` (voxels to mm, RAS) as a SEG object of that `series`.

    series: what `files_of_series` takes; patient and study are those of its files. Each class but the first,
    background, is a binary segment, also where it has no voxel.
    Raises InputError where the series lacks what a SEG object must take over from it.
    """
    import highdicom as hd
    from pydicom import dcmread

    sources = [dcmread(file.path, stop_before_pixels=True) for file in files_of_series(series)]
    planes = affine[:, [2, 1, 0, 3]]  # DICOM's arrays are (plane, row, column)
    volume = hd.Volume(
        np.ascontiguousarray(labels.T), RAS_TO_LPS @ planes, coordinate_system="PATIENT",
        frame_of_reference_uid=sources[0].get("FrameOfReferenceUID"),
    )  # fmt: skip
    segments = [_described(number, name) for number, name in enumerate(class_names[1:], start=1)]
    try:
        segmentation = hd.seg.Segmentation(
            sources, volume, "BINARY", segments, series_instance_uid=hd.UID(), series_number=SERIES_NUMBER,
            sop_instance_uid=hd.UID(), instance_number=1, manufacturer=NAME, manufacturer_model_name=NAME,
            software_versions=shared.__version__, device_serial_number="0",
            series_description=f"Segmentation by {NAME}",
        )  # fmt: skip
    except (AttributeError, ValueError) as error:  # what the library misses in the series
        raise InputError(
            series, expected="a series with what DICOM SEG refers to", got=one_line(error),
            fix="leave --dicom_seg out, or complete the series",
        ) from error  # fmt: skip
    return write_atomically(path, lambda temporary: segmentation.save_as(temporary))


def _described(number: int, name: str) -> "SegmentDescription":
    import highdicom as hd
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence as Items
    from pydicom.sr.codedict import codes
    from pydicom.sr.coding import Code

    algorithm = hd.AlgorithmIdentificationSequence(
        name=NAME, family=codes.DCM.ArtificialIntelligence, version=shared.__version__
    )
    described = hd.seg.SegmentDescription(
        segment_number=number, segment_label=name, segmented_property_category=Code(*ANATOMY),
        segmented_property_type=Code(*code_of(name)), algorithm_type="AUTOMATIC", algorithm_identification=algorithm,
    )  # fmt: skip
    side = side_of(name)
    if side is not None:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = side
        described.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = Items([item])
    return described
