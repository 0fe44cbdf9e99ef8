"""The configs of this bundle: each pair by an optimisation of its own, in three presets. Written by `make configs`."""

from dataclasses import replace
from pathlib import Path

from shared.engine.recipe import Part, component
from shared.tasks.registration.optimisation_recipe import Optimisation
from shared.zoo.configs import load_recipe

BRAIN = load_recipe(Path(__file__).parents[1] / "brain_mr_voxelmorph_registration" / "recipe.py")
ONE_WAY = BRAIN.RECIPE.network | {"symmetric": False}  # enough for a start
# Of each level: image and velocity stride, window, steps, rate.
FINE = [[1, 2, 15, 8, 0.5], [1, 1, 15, 8, 0.5]]
IN_2D = [[2, 8, 9, 20, 0.5], [2, 4, 9, 20, 0.3], [2, 2, 9, 15, 0.3], *FINE]
IN_3D = [[4, 8, 5, 30, 0.5], [2, 4, 7, 20, 0.3], [2, 2, 7, 20, 0.3]]


def coarse_to_fine(levels: dict[str, list], *, squarings: int, **options: str) -> Part:
    return component(
        "shared.tasks.registration.optimising.CoarseToFine",
        levels=levels,
        similarity="@similarity",
        smoothness=0.4,
        squarings=squarings,
        **options,
    )


RECIPE = Optimisation(
    descriptions={
        "inference": "Register pairs of images, 2D or 3D, each by an optimisation of its own.",
        "evaluate": "Score registrations by NODEO, by their labels and fields.",
    },
    class_names=BRAIN.CLASS_NAMES,
    label_suffix=BRAIN.RECIPE.label_suffix,
    alignment={"affine": "none", "pixdim": None, "similarity": "ncc"},
    parts={"warm_start_def": ONE_WAY},
    weights_of="@warm_start_def",
    presets={
        "fast": coarse_to_fine({"2": IN_2D, "3": IN_3D}, squarings=3),
        "warm": coarse_to_fine({"2": FINE}, squarings=5, start="@warm_start_def"),
        "paper": component(
            "shared.tasks.registration.optimising.Nodeo",
            folds=2.5,
            magnitude=5e-05,
            gradient=0.05,
            similarity="@similarity",
            window=21,
            smoothing="average",
            smoothing_width=15,
            solver="euler",
            field_stride=1,
            steps=300,
            learning_rate=0.005,
        ),
    },
    training=replace(
        BRAIN.RECIPE,
        network=ONE_WAY,
        descriptions={
            "train": "Train the warm start: a 2D VoxelMorph whose velocity preset warm begins with."
            " No label is learned from."
        },
        called="warm_start",
        likeness=BRAIN.RECIPE.likeness | {"smoothness": 0.4},
        training_options=BRAIN.RECIPE.training_options | {"max_epochs": 16, "overlap": 0.0},
    ),
)
OPTIONS = {
    "fixed": "the image that it is moved onto, or `mni152`: the template ICBM 152 2009a, of a brain without skull, that"
    " nilearn carries (`pip install 'monai-bundle-zoo[mni]'`)",
    "similarity": "images are compared by `ncc`, `mse`, or, for unlike contrasts, `mind`, self-similarity, or `mi`",
    "pixdim": "the spacing, in mm, at which a pair is registered, if not the fixed image's; the field is at full size",
    "preset": "`paper`: the published method; `warm`, for slices of about 1 mm (else add `--pixdim 1`): from `weights`",
    "workers": "pairs registered side by side, each on one thread; for CPUs",
    "runtime": "torch, whatever is given: the others have no gradients",
    "fast#smoothness": "smoother fields; also `fast#folds` (λ₁), `fast#magnitude` (λ₂), `fast#squarings`",
    "fast#levels": "`\"{'2': […], '3': […]}\"`: the levels for slices and volumes, see `configs/inference.json`",
    "paper#folds": "λ₁; also `paper#magnitude` (λ₂), `paper#gradient` (λ₃), `paper#window`, `paper#steps`",
    "paper#smoothing": "`gaussian` or `none`: of the velocity; `paper#smoothing_width`, `paper#smoothing_passes`",
    "paper#solver": "`rk4` or `dopri5`: by torchdiffeq; `paper#steps_of_flow`, `paper#adjoint`",
    "paper#field_stride": "2: solve on a coarser grid; `paper#network` sizes the velocity network",
}
