"""The configs of a segmentation of whole heads that is learned from label maps alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.engine.recipe import Part, component
from shared.tasks.segmentation.recipe import MAPS, TILES
from shared.tasks.segmentation.synthetic_recipe import SyntheticSegmentation


@dataclass(frozen=True, kw_only=True)
class BrainSegmentation(SyntheticSegmentation):
    """What is special about a segmentation of heads: `label_values` are FreeSurfer's, and are written as well.

    scattered: classes, by position, that may be in several parts. lowest_quality: default of that option.
    """

    scattered: Sequence[int]
    lowest_quality: float

    def _written(self) -> Part:
        options = super()._written() | {"label_values": list(self.label_values), "brain_mask": False}
        return options | {"lowest_quality": self.lowest_quality}

    def _writer(self) -> Part:
        options = {"brain_mask": "@brain_mask", "lowest_quality": "@lowest_quality"}
        return self._brains("Writer", **self._forms(), **options)

    def _scorer(self) -> Part:
        return self._brains("Scorer", only_in_reference=True)

    def _brains(self, role: str, **more: str | bool) -> Part:
        task = self._task(role, values="@label_values", **more)
        return task | {"_target_": f"shared.tasks.segmentation.brains.Brain{role}"}

    def _on_grid(self, keys: str | list[str], modes: str | list[str]) -> list[Part]:
        return [component("shared.tasks.segmentation.grids.UprightGridd", keys=keys, pixdim="@pixdim")]

    def _inferring(self, *, probabilities: bool) -> Part:
        kept = MAPS if probabilities else {"confidence": True}
        tissues = component("shared.tasks.segmentation.freesurfer.tissues_of", ids="@label_values")
        restored = component(
            "shared.tasks.segmentation.restoring.RestoreLabelsd", keys="pred", largest_part="@largest_part",
            tissues=tissues, intensity_weight="@intensity_weight", scattered=list(self.scattered), **kept,
        )  # fmt: skip
        mirrored = component(
            "shared.tasks.segmentation.mirroring.MirrorInferer", class_names="@class_names",
            enabled="@mirrored", inferer=TILES,
        )  # fmt: skip
        return {"inferer": mirrored, "postprocessing": restored}
