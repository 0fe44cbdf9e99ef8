"""What model-zoo's ci/verify_bundle.py asks of a bundle, by MONAI's own functions; docs/clients.md has the rest."""

from pathlib import Path

import pytest
from monai.bundle import verify_net_in_out

from shared.files import read_json
from shared.places import all_bundles

# Its network gives several tensors, and MONAI's check knows one.
SEVERAL = "nuclei_maskrcnn_instance_segmentation"


@pytest.mark.parametrize("bundle", all_bundles(), ids=lambda path: path.name)
def test_the_files_and_the_changelog_are_as_asked(bundle: Path) -> None:
    names = ("configs/metadata.json", "configs/inference.json", "models/model.pt", "LICENSE")
    assert [name for name in names if not (bundle / name).is_file()] == []
    metadata = read_json(bundle / "configs" / "metadata.json")
    assert metadata["version"] in metadata["changelog"]


@pytest.mark.parametrize("bundle", [path for path in all_bundles() if path.name != SEVERAL], ids=lambda path: path.name)
def test_the_network_gives_the_shape_that_the_metadata_name(bundle: Path) -> None:
    configs = bundle / "configs"
    verify_net_in_out(
        net_id="network_def", meta_file=str(configs / "metadata.json"), config_file=str(configs / "inference.json"),
        bundle_root=str(bundle),
    )  # fmt: skip
