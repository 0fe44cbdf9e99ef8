"""Draw pictures that look like cells and membranes in electron microscopy, with their label maps.

The sample data of membrane_em_segmentation were made by it, since the images it was trained on may not be passed on:
`python scripts/make_membrane_phantom.py bundles/membrane_em_segmentation/sample_data`
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage
from scipy.spatial import cKDTree

PIXELS_A_CELL = 2200
MEMBRANE_PX = 4.5  # as thick as the labels of the ISBI 2012 challenge draw it


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], sigma: float) -> np.ndarray:
    """A random field (*shape) of mean 0 and standard deviation 1 that varies over some `sigma` pixels."""
    field = ndimage.gaussian_filter(rng.normal(size=shape), sigma, mode="reflect")
    return (field - field.mean()) / field.std()


def draw_cells(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The distance in pixels of each pixel (*shape) from the nearest border of two cells, and its cell's number."""
    margin, (height, width) = 40, shape
    large = (height + 2 * margin, width + 2 * margin)
    count = int(large[0] * large[1] / PIXELS_A_CELL)
    # Random centres make cells of very different size; slowly bent coordinates make their borders curved.
    centres = rng.uniform((0, 0), large, (count, 2))
    grid = np.stack(np.meshgrid(*map(np.arange, large), indexing="ij"), axis=-1).astype(float)
    for axis in range(2):
        grid[..., axis] += 9 * smooth_noise(rng, large, 18) + 2 * smooth_noise(rng, large, 6)
    cells = cKDTree(centres).query(grid)[1].reshape(large)
    borders = (ndimage.maximum_filter(cells, 2) != cells) | (ndimage.minimum_filter(cells, 2) != cells)
    inner = np.s_[margin : margin + height, margin : margin + width]
    return ndimage.distance_transform_edt(~borders)[inner], cells[inner]


def draw_phantom(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """An image (*shape), uint8, and its label map: 255 inside a cell, 0 on a membrane."""
    distance, cells = draw_cells(rng, shape)
    brightness = rng.normal(165, 9, cells.max() + 1)[cells]
    brightness += 7 * smooth_noise(rng, shape, 2.5) + 5 * smooth_noise(rng, shape, 40)
    # Mitochondria: dark and textured, well inside the largest cells; the label takes no notice of them.
    depth = ndimage.gaussian_filter(distance, 2)
    mitochondria = ndimage.gaussian_filter((depth > 15).astype(float), 1.5) * (rng.random(cells.max() + 1) < 0.3)[cells]
    brightness -= mitochondria * (55 + 14 * smooth_noise(rng, shape, 1.5))
    vesicles = ndimage.gaussian_filter((rng.random(shape) < 0.002).astype(float), 1.3) * 2 * np.pi * 1.3**2
    brightness -= 35 * np.minimum(vesicles, 1) * (distance > MEMBRANE_PX)
    # Where a membrane runs aslant through the section it is faint and broad.
    aslant = np.clip(smooth_noise(rng, shape, 14) - 0.7, 0, 1)
    membrane = np.exp(-0.5 * (distance / (1.7 + 2.5 * aslant)) ** 2)
    brightness -= membrane * (105 - 55 * aslant)
    image = ndimage.gaussian_filter(brightness, 0.8) + 13 * rng.normal(size=shape) + 6 * smooth_noise(rng, shape, 0.8)
    label = np.where(distance > MEMBRANE_PX / 2, 255, 0)
    return np.clip(image, 0, 255).astype(np.uint8), label.astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="gets images/ and labels/")
    parser.add_argument("--sizes", nargs="+", default=["512x512", "400x300", "333x517"], help="height x width of each")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    for number, size in enumerate(arguments.sizes):
        height, width = map(int, size.split("x"))
        for part, picture in zip(("images", "labels"), draw_phantom(rng, (height, width))):
            path = arguments.folder / part / f"phantom_{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(path, optimize=True)
            print(path)


if __name__ == "__main__":
    main()
