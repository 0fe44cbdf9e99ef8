"""A bundle's ONNX file by itself: numpy, onnxruntime and readers of images; neither torch nor MONAI nor the zoo.

python onnx_by_itself.py MODEL.onnx IMAGE OUTPUT writes the label map of a hippocampus (a scan of 1 mm) or of membranes
(up to 512 × 512), or the cells of a blood smear (an RGB picture of up to 1600 pixels a side, at a magnification that
the network knows) as JSON. All it knows of the bundle is in the file's properties.
"""

import json
import sys

import nibabel as nib
import numpy as np
import onnxruntime
from PIL import Image


def prepared(values, steps):
    for step in steps:
        match step["_target_"].split(".")[-1]:
            case "ScaleIntensityRangePercentilesd":
                low, high = np.percentile(values, [step["lower"], step["upper"]])
                values = ((values - low) / (high - low)).clip(0, 1)
            case "NormalizeIntensityd":
                values = (values - values.mean()) / values.std()
            case "ScaleByRanged":  # of 8 bits
                values = (values - values.min()) / (values.max() - values.min())
    return values.astype(np.float32)


def labelled(logits, steps):
    for step in steps:
        if step["_target_"] == "Affined":  # by a part of a pixel; beyond the border the border repeated
            for axis, shift in enumerate(step["translate_params"], start=1):
                at = np.clip(np.arange(logits.shape[axis]) + shift, 0, logits.shape[axis] - 1)
                low, part = np.floor(at).astype(int), at % 1
                above, weight = np.minimum(low + 1, logits.shape[axis] - 1), np.expand_dims(part, [0, 3 - axis])
                logits = logits.take(low, axis) * (1 - weight) + logits.take(above, axis) * weight
    return logits.argmax(axis=0).astype(np.uint8)


def detected(found, size, seen, limits):
    found = found[:, np.argsort(-found[4:].max(axis=0), kind="stable")[: limits["most"]]]
    boxes = (found[:4].T * np.tile(np.divide(size, seen), 2)).clip(0, np.tile(size, 2))
    objects = [[*boxes[i], found[4 + c, i], c] for c, i in zip(*np.nonzero(found[4:] >= limits["min_score"]))]
    kept = []
    for box in sorted(objects, key=lambda one: -one[4]):
        if all(box[5] != other[5] or overlap(box, other) <= limits["overlap"] for other in kept):
            kept.append(box)
    return [[float(number) for number in box] for box in kept]


def overlap(a, b):
    common = np.prod(np.maximum(np.minimum(a[2:4], b[2:4]) - np.maximum(a[:2], b[:2]), 0))
    return common / (np.prod(np.subtract(a[2:4], a[:2])) + np.prod(np.subtract(b[2:4], b[:2])) - common)


def main(model, image, output):
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    about = {key: json.loads(session.get_modelmeta().custom_metadata_map[key]) for key in
             ("preprocessing", "inferer", "postprocessing")}  # fmt: skip
    volume = nib.load(image) if image.endswith((".nii", ".nii.gz")) else None
    if volume is not None:
        values = nib.as_closest_canonical(volume).get_fdata(dtype=np.float32)[None]
    else:
        values = np.moveaxis(np.atleast_3d(np.asarray(Image.open(image), dtype=np.float32)), 2, 0)
    values = prepared(values, about["preprocessing"])
    if "input_size" in about["inferer"]:
        size = values.shape[1:]
        scale = about["inferer"]["input_size"] / (about["inferer"]["tile_size"] or about["inferer"]["usual_tile"])
        seen = [round(side * scale) for side in size]
        values = np.stack([Image.fromarray(one).resize(seen[::-1], Image.Resampling.BILINEAR) for one in values])
        objects = detected(session.run(None, {"image": values[None]})[0][0], size, seen, about["postprocessing"][0])
        with open(output, "w") as file:
            json.dump(objects, file)  # row1, column1, row2, column2, score, class
        return
    steps = about["postprocessing"]
    if isinstance(steps, dict):  # of a bundle that takes heads as well
        steps = steps["crops"]
    labels = labelled(session.run(None, {"image": values[None]})[0][0], steps)
    if volume is None:
        Image.fromarray(labels).save(output)
        return
    back = nib.orientations.ornt_transform(nib.orientations.axcodes2ornt("RAS"), nib.io_orientation(volume.affine))
    nib.save(nib.Nifti1Image(nib.apply_orientation(labels, back).astype(np.uint8), volume.affine), output)


if __name__ == "__main__":
    main(*sys.argv[1:])
