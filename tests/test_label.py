"""MONAI Label runs a bundle's parts, read from its configs, and gives what the command line writes."""

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from shared.bundle import open_bundle

BUNDLE = Path(__file__).parents[1] / "bundles" / "hippocampus_mr_segmentation"


@pytest.mark.client
def test_labels_inference_is_that_of_the_bundle() -> None:
    label: Any = pytest.importorskip(
        "monailabel.tasks.infer.bundle", reason="needs monailabel, and a torchvision of the torch that is installed"
    )
    (image, *_) = sorted((BUNDLE / "sample_data" / "imagesTr").glob("*.nii.gz"))
    task = label.BundleInferTask(str(BUNDLE), {"preload": "false"})
    assert task.labels == {"anterior": 1, "posterior": 2}
    written, _ = task({"image": str(image), "device": "cpu", "model": BUNDLE.name})
    found = np.asarray(nib.Nifti1Image.from_filename(written).dataobj)
    assert np.array_equal(found, open_bundle(BUNDLE, device="cpu").predict(image).labels)
