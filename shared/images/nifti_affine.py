"""Where the voxels of a NIfTI file lie: as ITK, and so ANTs and 3D Slicer, takes it from the header's two forms."""

import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError

from shared.errors import InputError

SCANNER = 1  # the code of scanner coordinates
CODES = range(1, 6)  # those that the standard knows
FORM_FIELDS = (
    "pixdim", "qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d",
    "qoffset_x", "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z",
)  # fmt: skip
UNUSABLE = (ValueError, HeaderDataError)  # what nibabel raises for a quaternion longer than 1 and a pixdim of 0
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def itk_affine(header: nib.Nifti1Header, path: Path) -> np.ndarray:
    """(4, 4), voxels to RAS in the unit of the header, which was read with check=False.

    ITK takes a right-angled sform where the qform has no code, where the sform's is 1, and where both nearly agree,
    else the qform; where neither has a code, its axes are those of LPS and there is no origin. The spacing is
    pixdim's, whatever the sform's is. nibabel has the sform wherever it has a code, and its spacing.
    Raises InputError where ITK refuses the header: a sform with axes not at right angles, and no qform.
    """
    if _is_plain(header):
        return np.asarray(header.get_best_affine())
    return _asked_of_itk(header, path)


def consistent_header(header: nib.Nifti1Header, affine: np.ndarray) -> nib.Nifti1Header:
    """A header by which ITK and nibabel see `affine`: `header` itself, or a copy with both forms set to it."""
    try:
        if np.allclose(header.get_best_affine(), affine, rtol=1e-5, atol=1e-5, equal_nan=True):
            return header
    except UNUSABLE:
        pass
    codes = [int(header[field]) for field in ("sform_code", "qform_code")]
    code = next((code for code in codes if code in CODES), SCANNER)
    header = header.copy()
    header.set_sform(affine, code)
    header.set_qform(affine, code)
    return header


def _is_plain(header: nib.Nifti1Header) -> bool:
    """Whether ITK takes from the header what nibabel does, to float32's rounding, by a rule that leaves no doubt."""
    spacing = header["pixdim"][1:4]
    try:
        sform, qform = header.get_sform(), header.get_qform()
    except UNUSABLE:
        return False
    if not np.isfinite(sform).all():  # of no use to either, and ITK complains at length
        return bool(header["sform_code"] > 0)
    if not (spacing > 0).all() or header["sform_code"] <= 0:
        return bool((spacing > 0).all() and header["qform_code"] > 0)
    turn = sform[:3, :3] / spacing
    right_angled = np.allclose(turn.T @ turn, np.eye(3), atol=1e-5)
    one_form = header["qform_code"] <= 0 or header["sform_code"] == SCANNER or np.allclose(sform, qform, atol=1e-5)
    return bool(right_angled and one_form)


def _asked_of_itk(header: nib.Nifti1Header, path: Path) -> np.ndarray:
    """What ITK sees in a file of one voxel with the forms of `header`.

    Asked rather than computed: its comparison of forms that differ depends on the signs of singular vectors.
    """
    import SimpleITK as sitk  # 0.3 s to import, needed for odd headers alone

    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    voxel = nib.Nifti1Header()
    voxel.set_data_shape((1, 1, 1))
    for field in FORM_FIELDS:
        voxel[field] = header[field]
    voxel["vox_offset"], voxel["magic"] = 352, b"n+1"
    with tempfile.NamedTemporaryFile(suffix=".nii") as file:
        file.write(voxel.binaryblock + bytes(4) + bytes(4))  # no extensions; the voxel, in float32
        file.flush()
        try:
            grid = sitk.ReadImage(file.name)
        except RuntimeError as error:
            raise InputError(
                path, expected="an affine (its sform) of axes at right angles, as ITK needs without a qform",
                got=voxel.get_sform()[:3, :3].round(4).tolist(), fix="resample the image, or set its qform",
            ) from error  # fmt: skip
    return affine_from_itk(grid)


def affine_from_itk(image: "sitk.Image") -> np.ndarray:  # type: ignore[name-defined]  # noqa: F821
    """(4, 4), voxels to mm, RAS, of an ITK image; axes beyond the third are left out."""
    dims, kept = image.GetDimension(), min(3, image.GetDimension())
    affine = np.eye(4)
    matrix = np.reshape(image.GetDirection(), (dims, dims)) * image.GetSpacing()
    affine[:kept, :kept], affine[:kept, 3] = matrix[:kept, :kept], image.GetOrigin()[:kept]
    return LPS_TO_RAS @ affine
