"""The networks that are compared."""

import json
from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigParser

from shared.family import FAMILY
from shared.studies.networks import candidates, family

BUNDLES = {2: "membrane_em_segmentation", 3: "hippocampus_mr_segmentation"}


@pytest.mark.parametrize("dims", [2, 3])
def test_each_candidate_takes_images_of_any_size(dims: int) -> None:
    for name, part in candidates(dims).items():
        parser = ConfigParser({"network_def": part, "start": None, "channels": 2, "class_names": ["a", "b", "c"]})
        network = parser.get_parsed_content("network_def").eval()
        with torch.no_grad():
            assert network(torch.rand(1, 2, *[17] * dims)).shape == (1, 3, *[17] * dims), name


@pytest.mark.parametrize("dims", [2, 3])
def test_what_is_shipped_is_among_them(dims: int, root: Path) -> None:
    text = (root / "bundles" / BUNDLES[dims] / "configs" / "inference.json").read_text(encoding="utf-8")
    shipped = json.loads(text)["network_def"]
    compared = [(part["_target_"], part.get("filters")) for part in candidates(dims).values()]
    assert (shipped["_target_"], shipped["filters"]) in compared


@pytest.mark.parametrize("dims", [2, 3])
def test_the_family_is_what_a_name_chooses_with_the_same_filters(dims: int) -> None:
    parts = family(dims)
    assert {name: part["_target_"] for name, part in parts.items()} == FAMILY
    assert {tuple(part["filters"]) for part in parts.values()} == {tuple(16 * 2**k for k in range({2: 5, 3: 4}[dims]))}
