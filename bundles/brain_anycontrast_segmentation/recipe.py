"""The configs of this bundle: a 3D U-Net, learned from synthetic images of label maps. Written by `make configs`."""

from shared.engine.intensities import USUAL_WEIGHT
from shared.engine.recipe import component
from shared.synthesis.brain import CLASSES
from shared.tasks.segmentation.brain_recipe import BrainSegmentation

IDS = sorted(CLASSES)

RECIPE = BrainSegmentation(
    descriptions={
        "inference": "Segment whole heads or brains of any contrast, resolution and orientation.",
        "evaluate": "Score segmentations of heads against reference labels.",
        "train": "Train a 3D U-Net to segment heads of any contrast, from synthetic images of label maps.",
    },
    class_names=[CLASSES[value] for value in IDS],
    label_values=IDS,
    network=component(
        "shared.nets.halved_unet.HalvedUNet",
        spatial_dims=3,
        filters=[32, 64, 128, 256],
        act=["relu", {"inplace": True}],
    ),
    grid={"roi_size": [160, 160, 160], "pixdim": [2.0, 2.0, 2.0]},
    tiling={"overlap": 0.25, "mirrored": True, "intensity_weight": USUAL_WEIGHT, "largest_part": True},
    scattered=[IDS.index(24)],
    lowest_quality=0.7,
    labels_of="shared.synthesis.brain.brain_labels",
    ranges={},
    training_options={
        "max_epochs": 60,
        "batch_size": 2,
        "learning_rate": 0.001,
        "ema_momentum": 0.002,
        "patch_size": [80, 96, 80],
        "samples_per_epoch": 200,
    },
)
OPTIONS = {
    "label_values": "the ids of the classes in the files, which are FreeSurfer's",
    "brain_mask": "`True` also writes `<case>_brain_mask.nii.gz`: 1 in the brain, its ventricles included",
    "lowest_quality": "the `quality` in `summary.csv` below which a case is warned about: the mean Dice that the"
    " network's own probabilities make likely",
    "mirrored": "`True` averages over a head and its mirror image: twice the time of the network",
    "intensity_weight": "from 0 to 1, how much the scan's own intensities move borders; 0 asks the network alone",
    "largest_part": "whether of what the network makes of a structure its largest piece is kept alone, and all is"
    " within 10 mm of the brain; `False` leaves what else was found",
}
