"""Training in MONAI Label, again and again: in its app monaibundle, put this class in place of BundleTrainTask.

Copy this file beside the app's main.py, and import from it there: `from monai_label_training import ZooTrainTask as
BundleTrainTask`. The weights that a bundle came with are replaced: keep a copy of its models/model.pt.
"""

import shutil
from pathlib import Path

from monailabel.tasks.train.bundle import BundleTrainTask


class ZooTrainTask(BundleTrainTask):
    """Trains in a new folder each time, from the weights so far, and puts the best where the next inference looks."""

    def run_single_gpu(self, request, overrides):
        outputs = Path(self.bundle_path, "outputs")
        number = 1 + len(list(outputs.glob("label_*")))
        folder = outputs / f"label_{number:03}"
        super().run_single_gpu(request, overrides | {"output_dir": str(folder)})
        shutil.copy(folder / "model.pt", Path(self.bundle_path, "models"))
