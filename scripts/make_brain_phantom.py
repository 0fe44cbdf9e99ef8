"""Draw coronal slices of brains that nobody has: freely licensed pairs to register, with labels.

Each is one drawing of ellipses and a folded cortex, moved by a random smooth deformation that is undone nowhere:
python scripts/make_brain_phantom.py bundles/brain_mr_voxelmorph_registration/sample_data
"""

import argparse
import csv
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
from scipy.ndimage import gaussian_filter

import monai_bundle_zoo  # noqa: F401 (after it shared can be imported)
from shared.spatial.warping import integrate, warp

SIZE = (160, 192)
AFFINE = np.array([[-1.0, 0, 0, 80], [0, 0, 1, 0], [0, -1, 0, 96], [0, 0, 0, 1]])  # columns to the left, rows down
CENTRE = (79.5, 82.0)
# Of the left half: id, name, T1 intensity, and (half axes, centre) of an ellipse in voxels, columns from the midline.
STRUCTURES = (
    (12, "ventral diencephalon", 0.62, (9, 6), (12, 110)),
    (11, "hippocampus", 0.42, (9, 6), (30, 121)),
    (5, "thalamus", 0.50, (10, 10), (13, 93)),
    (6, "caudate", 0.42, (3.5, 6), (26, 76)),
    (7, "putamen", 0.50, (4.5, 11), (35, 96)),
    (8, "pallidum", 0.60, (2.5, 6), (28, 98)),
    (3, "lateral ventricle", 0.08, (12, 8), (13, 75)),
    (4, "inferior lateral ventricle", 0.12, (8, 2.5), (31, 112)),
)
WHITE_MATTER, CORTEX, OTHER_SIDE = (
    1,
    2,
    13,
)  # the right half's ids are the left one's + 13, and + 11 past the brain stem
MIDLINE = ((10, "brain stem", 0.60, (11, 7), 127), (9, "3rd ventricle", 0.10, (3.5, 9), 97))
WHITE, GRAY = 0.65, 0.42
DEFORMATION, SMOOTHNESS, NOISE, BIAS = 9.0, 14.0, 0.012, 0.06  # voxels, voxels, of the intensity, of the intensity


def draw_anatomy() -> tuple[np.ndarray, np.ndarray]:
    """The image, before noise, and the ids of the one anatomy that all phantoms share; (columns, rows)."""
    columns, rows = np.meshgrid(*(np.arange(s, dtype=float) for s in SIZE), indexing="ij")
    across, down = abs(columns - CENTRE[0]), rows - CENTRE[1]
    angle, distance = np.arctan2(across, -down), np.hypot(across / 70, down / 64)
    folds = 0.05 * np.sin(9 * angle) + 0.04 * np.sin(16 * angle + 1) + 0.03 * np.sin(25 * angle + 2)
    outside, inside = 0.96 + 0.4 * folds - distance, 0.84 + 1.6 * folds - distance
    midline = np.where(abs(down + 30) < 26, 2.5, 0.5)  # the fissure between the halves
    ids = np.where((outside > 0) & (across > midline), CORTEX, 0)
    ids[(inside > 0) & (across > midline + 3 * (down < -15))] = WHITE_MATTER
    image = np.choose(ids, [0.0, WHITE, GRAY])
    for number, _, intensity, axes, centre in STRUCTURES:
        within = np.hypot((across - centre[0]) / axes[0], (rows - centre[1]) / axes[1]) < 1
        ids[within], image[within] = number, intensity
    right = columns < CENTRE[0]
    ids = np.where(right & (ids > 10), ids + 11, np.where(right & (ids > 0), ids + OTHER_SIDE, ids))
    for number, _, intensity, axes, row in MIDLINE:
        within = np.hypot(across / axes[0], (rows - row) / axes[1]) < 1
        ids[within], image[within] = number, intensity
    return image, ids


def make_phantom(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The image, float32 from 0 to 1, and the ids of one phantom."""
    rng = np.random.default_rng(seed)
    image, ids = draw_anatomy()
    velocity = np.stack([gaussian_filter(rng.normal(size=SIZE), SMOOTHNESS) for _ in SIZE])
    velocity *= DEFORMATION / np.abs(velocity).max()
    field = integrate(torch.as_tensor(velocity)[None])
    image, ids = (
        warp(torch.as_tensor(array, dtype=torch.float64)[None, None], field, mode=mode)[0, 0].numpy()
        for array, mode in ((image, "linear"), (ids, "nearest"))
    )
    bias = gaussian_filter(rng.normal(size=SIZE), 40)
    texture = gaussian_filter(rng.normal(size=SIZE), 0.8)
    image = gaussian_filter(image, 0.6) * (1 + BIAS * bias / abs(bias).max() + NOISE * texture / texture.std())
    return image.clip(0, 1).astype(np.float32), ids.astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=4)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    names = [f"phantom_{number}" for number in range(1, arguments.count + 1)]
    for seed, name in enumerate(names):
        for suffix, array in zip(("", "_seg"), make_phantom(seed)):
            nib.save(nib.Nifti1Image(array[..., None], AFFINE), arguments.folder / f"{name}{suffix}.nii.gz")
    with (arguments.folder / "pairs.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["id", "moving", "fixed", "moving_label", "fixed_label"])
        for moving, fixed in zip(names[::2], names[1::2]):
            files = [f"{name}{suffix}.nii.gz" for suffix in ("", "_seg") for name in (moving, fixed)]
            table.writerow([f"{moving}_to_{fixed}", *files])


if __name__ == "__main__":
    main()
