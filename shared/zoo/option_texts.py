"""What the options of inference mean, for the tables in the cards: those of every task, then those of one.

A bundle's recipe.py may give other words, and those of options that it alone has, as OPTIONS.
"""

from shared.family import FAMILY

EVERY_TASK = {
    "dataset_dir": "a folder, searched with the folders below it, or one file",
    "output_dir": "the folder that results are written to",
    "resume": "`True` leaves finished cases alone",
    "pictures": "`False` draws nothing, which saves time",
    "class_names": "the classes, in their order; others for weights of your own",
    "channels": "the channels of an image as the network takes it",
    "channel": "which channels of a file are taken: `2`, `3,2,1` (from 1), `red`, or a name that OME or ImageJ gives",
    "diameter": "of a typical object, in pixels of the images, which are resized for the network by it; `auto`:"
    " estimated from each image",
    "pixel_size": "of the images, in µm, in place of what a TIFF says; they are resized by it where `--diameter` is no"
    " number",
    "weights": "the file of weights, such as the `model.pt` of a training",
    "bfloat16": "`False` computes in float32 also where bfloat16 is the faster: on GPUs, and processors with AMX",
    "num_workers": "processes that read images ahead",
    "device": "where the network runs: `cpu`, `cuda`, `cuda:1`",
    "runtime": "`onnx` (onnxruntime) or `openvino` runs the network, in float32, from a file that the first run exports"
    " in about a minute; `auto` takes what is the fastest for the first image, and remembers it",
    "providers": "those of onnxruntime, in the order in which they are tried; none: those that suit the device",
    "onnx": "an ONNX file of these weights; default: beside the weights, exported first if missing or stale",
    "engine_cache": "the folder for what TensorRT and OpenVINO build",
}
PAIR = {
    "moving": "the image that is moved, of a single pair",
    "fixed": "the image that it is moved onto",
    "moving_label": "its label map, which is moved with it",
    "fixed_label": "the label map of the fixed image; with both, Dice is in `summary.csv`",
    "points": "a CSV of points of the moving image: x, y, z in mm and space, `LPS` or `RAS`; `points.csv` says where"
    " they come to lie",
    "inverse": "`True` also writes `inverse.nii.gz`, the field back from the moving image's grid",
    "affine": "`centre`, `rigid` or `affine` aligns the images first; that becomes part of the field",
    "pixdim": "the spacing, in mm, at which a pair is registered; the field has the fixed image's size",
    "memory_limit": "GiB of memory; a pair that would take more is refused before anything is computed",
    "refine_steps": "steps, such as 50, from the network's field on, on the pair at hand",
    "refine_learning_rate": "of these steps, in voxels",
    "refine_anchor": "how strongly refinement is held near the network's field",
    "refine_overlap": "the weight in refinement of the overlap of labels, as the network sees or is given them",
    "similarity": "what refinement and training compare images by: `ncc`, `mse`, or, for unlike contrasts, `mind`"
    " (self-similarity) or `mi` (mutual information)",
    "ncc_window": "the width, in voxels, of the windows of `ncc`",
    "smoothness": "the weight of a smooth field in refinement and training",
    "ignore_zeros": "whether what is 0 in one of the images, as a padded margin is, counts as 0 in both",
}
ONE_TASK = {
    "segmentation": {
        "probabilities": "`True` also writes how likely each class is: `<case>_probabilities.nii.gz` (x, y, z, class;"
        " 16 bits that the header scales to 0 to 1), or of a raster image `<case>_probabilities.tif` (a page a class)",
        "uncertainty": "`True` also writes how unsure the network is of each voxel, `<case>_uncertainty` as above: the"
        " entropy of the probabilities, from 0 to 1; of several flips, that of their mean",
        "temperature": "by which the network's answers are divided before they become probabilities; labels stay",
        "dicom_seg": "`True` also writes `<case>_seg.dcm` of a DICOM series, a DICOM SEG that viewers show over it"
        " (`pip install 'monai-bundle-zoo[dicomseg]'`)",
        "roi_size": "the size, in voxels, of the tiles in which larger images are run",
        "overlap": "the fraction by which tiles overlap",
        "pixdim": "the spacing, in mm, at which images are run; results are on the image's own grid",
        "network": "another network than the bundle's, for `--weights` that `train.json --network` of that name made: "
        + ", ".join(f"`{name}`" for name in FAMILY),
    },
    "detection": {
        "input_size": "the longer side, in pixels, of what the network sees",
        "tile_size": "the pixels of an image that are seen as `input_size`, whatever `--diameter` is; 0: by that",
        "largest_whole": "images with no longer side, in pixels of the magnification that the network knows, are seen"
        " whole, larger ones in tiles",
        "tile_overlap": "the fraction by which tiles overlap",
        "min_score": "the score from which an object is in the files",
        "overlap": "the IoU above which the surer of two boxes of a class is kept",
        "most": "the boxes kept of an image, or of each tile",
        "threshold": "the score from which an object is drawn and counted: one for all classes, or one for each",
    },
    "instances": {
        "formats": "`\"['geojson','coco']\"`: also `<case>.geojson`, which QuPath opens, `instances.json`, COCO's"
        " results with run lengths, and `coco.json`, a complete COCO file for CVAT, FiftyOne or training",
        "roi_size": "the size, in pixels, of the tiles in which larger images are run",
        "overlap": "the pixels by which tiles overlap",
        "threshold": "the score from which an object is reported: higher for fewer false ones and more missed",
        "scales": 'each tile is seen enlarged by each of these, and what is seen is fused; `"[1]"` takes half the time',
        "smallest": "the pixels below which an object is left out",
    },
    "registration": PAIR,
}


def meanings(task: str) -> dict[str, str]:
    """What options mean in the bundles of `task`, by name."""
    return EVERY_TASK | ONE_TASK[task]
