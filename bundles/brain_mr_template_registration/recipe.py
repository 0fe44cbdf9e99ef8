"""The configs of this bundle: a learned template of coronal slices, which varies with the size of the ventricles."""

from pathlib import Path

from shared.engine.recipe import component
from shared.tasks.registration.templates.recipe import Templates
from shared.zoo.configs import load_recipe

BRAIN = load_recipe(Path(__file__).parents[1] / "brain_mr_voxelmorph_registration" / "recipe.py")

RECIPE = Templates(
    descriptions={
        "inference": "Register coronal slices of T1-weighted brain MR to a learned template.",
        "evaluate": "Score registrations of brain slices by way of the template, by their labels and fields.",
        "template": "Write the template of brain slices for given attributes.",
        "train": "Learn a template of coronal slices of T1-weighted brain MR, and to register slices to it.",
    },
    class_names=BRAIN.CLASS_NAMES,
    label_suffix="_seg24",
    network=component("shared.nets.template.TemplateMorph", spatial_dims=2, filters=[32, 48, 64, 96]),
    size=[160, 192],
    columns={"ventricle_area": [325.0, 219.0]},
    alignment=BRAIN.RECIPE.alignment,
    likeness=BRAIN.RECIPE.likeness,
    refining={"refine_steps": 0, "refine_learning_rate": 0.05, "refine_anchor": 2.0},
    training_options={
        "max_epochs": 12,
        "val_interval": 4,
        "batch_size": 4,
        "learning_rate": 0.001,
        "weight_decay": 0.0,
        "ema_momentum": 0.003,
        "magnitude": 0.002,
        "centring": 1.0,
    },
    augmentation=[
        component(
            "RandAffined", keys="image", prob=0.5, rotate_range=[0.1], scale_range=[0.05, 0.05],
            translate_range=[3, 3], mode="bilinear", padding_mode="zeros",
        ),
        component("RandAdjustContrastd", keys="image", prob=0.3, gamma=[0.7, 1.5]),
    ],
)  # fmt: skip
OPTIONS = {
    "attributes": "of the template, such as `\"{'ventricle_area': 600}\"`; what is not given is the mean",
    "columns": "what a template of your own varies by: of a number its mean and standard deviation, or the categories",
    "template_label": "a label map of the template without attributes; it is moved with it, and carried to each image",
    "groups": "a CSV with the columns `id` and `group`, of two groups: `group/` then also shows where they differ",
    "label_suffix": "which of several label maps beside an image is its own, by the ending of the name",
}
