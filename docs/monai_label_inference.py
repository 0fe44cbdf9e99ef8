"""Inference of pictures in MONAI Label: in its app monaibundle, put this class in place of BundleInferTask.

Copy this file beside the app's main.py, and import from it there: `from monai_label_inference import ZooInferTask as
BundleInferTask`.
"""

from monai.transforms import SqueezeDimd, Transposed
from monailabel.tasks.infer.bundle import BundleInferTask


class ZooInferTask(BundleInferTask):
    """Names labels by the classes of the bundle; hands pictures to the writer as it takes them: across, then down."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if self.is_valid():
            names = [name for name in self.bundle_config["class_names"] if name != "background"]
            self.labels = {name: number for number, name in enumerate(names, start=1)}

    def post_transforms(self, data=None):
        across = [SqueezeDimd(keys=self.key_pred, dim=0), Transposed(keys=self.key_pred, indices=(1, 0))]
        return [*super().post_transforms(data), *(across if self.dimension == 2 else [])]
