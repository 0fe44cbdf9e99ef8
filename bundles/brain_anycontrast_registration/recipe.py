"""The configs of this bundle: a 3D VoxelMorph of any contrast, learned from label maps. Written by `make configs`."""

from shared.engine.recipe import component
from shared.synthesis.brain import CLASSES, FLUIDS
from shared.tasks.registration.guided import USUAL_STEPS
from shared.tasks.registration.synthetic_recipe import SyntheticRegistration
from shared.tasks.segmentation.freesurfer import tissues_of

IDS = sorted(CLASSES)

RECIPE = SyntheticRegistration(
    descriptions={
        "inference": "Register pairs of heads or brains of any contrast, resolution and orientation.",
        "evaluate": "Score registrations of heads by their labels and fields.",
        "train": "Train a 3D VoxelMorph to register heads of any contrast, from synthetic images of label maps.",
    },
    class_names=[CLASSES.get(value, str(value)) for value in range(IDS[-1] + 1)],
    label_suffix="_seg",
    network=component(
        "shared.nets.voxelmorph.VoxelMorph",
        spatial_dims=3,
        filters=[24, 32, 48, 64],
        guide=component(
            "shared.nets.voxelmorph.CoarseGuide",
            spatial_dims=3,
            out_channels=len(IDS),
            filters=[32, 64, 128],
        ),
        forces=True,
        act="relu",
        passes=2,
        regularity="@regularity",
    ),
    alignment={"affine": "auto", "pixdim": 2.0},
    likeness={"similarity": "auto", "ncc_window": 7, "smoothness": 0.6},
    refining={"refine_steps": None, "refine_learning_rate": 0.25},
    tissues=[n for n, value in enumerate(IDS) if value not in {0, *FLUIDS}],
    tissue_of=tissues_of(IDS),
    labels_of="shared.synthesis.brain.brain_labels",
    label_values=IDS,
    ranges={"rotation": 10.0, "translation": 10.0, "crop": 0.0, "weighted": 0.7},
    training_options={
        "max_epochs": 40,
        "pairs_per_epoch": 400,
        "batch_size": 4,
        "learning_rate": 0.001,
        "ema_momentum": 0.005,
        "patch_size": [80, 96, 80],
        "learn": "velocity",
        "symmetric": True,
        "loss_stride": 2,
        "pixdim": 2.0,
        "smoothness": 1.0,
        "overlap": 1.0,
    },
    learning={"learn": "@learn"},
)
OPTIONS = {
    "fixed": "the image that it is moved onto, or `mni152`: the template ICBM 152 2009a, of a brain without skull, that"
    " nilearn carries (`pip install 'monai-bundle-zoo[mni]'`)",
    "regularity": "from 0, the most alike, to 1, the smoothest field of the network, which has learned all of them",
    "affine": "how the heads are aligned first, as part of the field: `auto`, by the structures that the network finds"
    " in both; `centre`; `rigid` or `affine`, by mutual information; `none`",
    "refine_steps": "steps of gradient descent on the pair at hand, from the network's field on, after twice as many at"
    " half the resolution (for unlike contrasts with `auto`, three times as many, and then half); `0`: the network"
    f" alone; default: {USUAL_STEPS}, and 0 with another `--runtime` than torch",
    "refine_learning_rate": "of these steps, in voxels of the field's own grid",
    "similarity": "what refinement compares images by: `ncc` for one contrast, `mind` (self-similarity) or `mi` (mutual"
    " information) for unlike ones; `auto`: `ncc` where tissues are in the same order of brightness, else `mind`, and"
    " `ncc` of what both look like with each tissue as bright as it is in the moving image",
    "smoothness": "the weight of a smooth field in refinement",
}
