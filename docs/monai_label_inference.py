"""Inference of pictures in MONAI Label: in its app monaibundle, put this class in place of BundleInferTask.

Copy this file beside the app's main.py, and import from it there: `from monai_label_inference import ZooInferTask as
BundleInferTask`.
"""

from monai.transforms import Transposed
from monailabel.tasks.infer.bundle import BundleInferTask


class ZooInferTask(BundleInferTask):
    """Names labels by the bundle's classes, and gives pictures their first axis as Label writes them: across."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if self.is_valid():
            names = [name for name in self.bundle_config["class_names"] if name != "background"]
            self.labels = {name: number for number, name in enumerate(names, start=1)}

    def post_transforms(self, data=None):
        across = [Transposed(keys=self.key_pred, indices=(0, 2, 1))] if self.dimension == 2 else []
        return [*super().post_transforms(data), *across]
