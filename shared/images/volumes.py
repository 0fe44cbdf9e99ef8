"""Reading a volume by what its file holds: NIfTI, FreeSurfer's MGH, NRRD, MetaImage, and pairs of .hdr and .img."""

from pathlib import Path

import numpy as np

from shared.errors import InputError
from shared.images.bounds import check_voxels
from shared.images.file import ImageFile
from shared.images.metaimage import check_metaimage, is_metaimage
from shared.images.nifti import channels_first, is_nifti, read_nifti
from shared.images.unpacking import start_of, volume_bytes

# Of the files that belong together only the header's is found as a case: .hdr, .nhdr and .mhd.
ENDINGS = (".nii.gz", ".nii", ".mgz", ".mgh", ".nrrd", ".nhdr", ".mha", ".mhd", ".hdr")
DATA_ENDING = ".img"  # the other file of a pair, which may be named as well
LARGEST_SKEW = 1e-4  # the cosine between two axes from which on ITK refuses a NIfTI file, as results are
MGH_DATA_OFFSET = 284
MGH_ITEM_SIZES = {0: 1, 1: 4, 3: 4, 4: 2}  # bytes of each type of FreeSurfer's


def is_volume(path: Path) -> bool:
    """Whether a file is a volume by its ending."""
    return path.name.lower().endswith((*ENDINGS, DATA_ENDING))


def read_volume(path: Path, start: bytes | None = None) -> ImageFile:
    """Read a volume in any of these formats, whatever its ending. start: how its content begins, where that is known.

    Raises InputError where its voxels are more than memory holds, or its axes are not at right angles.
    """
    content = start_of(path).content if start is None else start
    if content.startswith(b"NRRD"):
        image = _read_with_itk(path, "NrrdImageIO")
    elif is_metaimage(content):
        check_metaimage(content, path)
        image = _read_with_itk(path, "MetaImageIO")
    elif path.suffix.lower() in (".hdr", DATA_ENDING):
        image = _read_pair(path)
    elif content[:4] == b"\0\0\0\1" and not is_nifti(content):  # the one version that MGH has
        image = _read_mgh(path, content)
    else:
        image = read_nifti(path, content)
    _check_right_angles(image)
    return image


def _read_with_itk(path: Path, reader_name: str) -> ImageFile:
    import SimpleITK as sitk  # 0.3 s to import, as nibabel, which the affine needs

    from shared.images.nifti_affine import affine_from_itk

    sitk.ProcessObject.SetGlobalWarningDisplay(False)  # what is wrong is reported in one line
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.SetImageIO(reader_name)
    reader.ReadImageInformation()
    check_voxels(path, (*reader.GetSize(), reader.GetNumberOfComponents()))
    image = reader.Execute()
    array, dims = sitk.GetArrayFromImage(image), image.GetDimension()
    values = channels_first(array.transpose(*reversed(range(dims)), *range(dims, array.ndim)))
    return ImageFile(path, values, affine_from_itk(image))


def _read_pair(path: Path) -> ImageFile:
    """Read a header and the file of its voxels, of which ITK would replace missing ones by others."""
    import nibabel as nib

    first = path.with_suffix(".hdr") if path.suffix == DATA_ENDING else path
    header = nib.nifti1.Nifti1PairHeader(start_of(first).content[:348], check=False)  # Analyze has the same sizes
    data = next((p for p in map(path.with_suffix, (DATA_ENDING, ".IMG", ".img.gz")) if p.is_file()), None)
    if data is None:
        raise InputError(path, expected=f"{path.stem}.img beside it", got="none", fix="restore that file")
    volume_bytes(
        data, offset=int(header.get_data_offset()), shape=header.get_data_shape(),
        itemsize=header.get_data_dtype().itemsize,
    )  # fmt: skip
    return _read_with_itk(path, "NiftiImageIO")


def _read_mgh(path: Path, content: bytes) -> ImageFile:
    import nibabel as nib

    sizes = np.frombuffer(content, ">i4", count=5, offset=4).tolist()  # the fifth is the type
    image = nib.MGHImage.from_bytes(
        volume_bytes(path, offset=MGH_DATA_OFFSET, shape=sizes[:4], itemsize=MGH_ITEM_SIZES.get(sizes[4], 1))
    )
    return ImageFile(path, channels_first(np.asarray(image.dataobj)), image.affine)


def _check_right_angles(image: ImageFile) -> None:
    """Refuse a grid that neither ITK nor a result in NIfTI can have."""
    with np.errstate(invalid="ignore"):  # an affine of no use is `read_image`'s to refuse
        turn = image.affine[:3, :3] / np.linalg.norm(image.affine[:3, :3], axis=0)
    skew = np.abs(turn.T @ turn - np.eye(3)).max()
    if skew > LARGEST_SKEW:
        raise InputError(
            image.path, expected="axes at right angles", got=f"axes whose cosine is {skew:.2g}",
            fix="resample it onto a grid of right angles",
        )  # fmt: skip
