"""The configs of a segmentation of crops that finds their places in a whole head as well."""

from dataclasses import dataclass, replace

from shared.engine.recipe import Config, Part, component
from shared.tasks.segmentation.recipe import MAPS, Segmentation
from shared.tasks.segmentation.synthetic_recipe import SyntheticSegmentation


@dataclass(frozen=True, kw_only=True)
class LocatedSegmentation(Segmentation):
    """What is special about a segmentation of crops, and about the network that finds their places in a head.

    locator: of the latter, which train_locator.json trains. sides: the classes of it that are the left and the right
    structure. scattered: those that may be in several parts.
    """

    locator: SyntheticSegmentation
    sides: tuple[int, int]
    scattered: tuple[int, ...] = ()

    def configs(self) -> dict[str, Config]:
        return super().configs() | {"train_locator": replace(self.locator, family=False).training()}

    def _written(self) -> Part:
        return super()._written() | {"locate": "auto"}

    def _evaluated(self) -> Part:
        return super()._evaluated() | {"locate": "auto"}

    def _weights(self) -> Part:
        return super()._weights() | {"locator_weights": self.locator.pretrained}

    def _inferring(self, *, probabilities: bool) -> Part:
        plain = super()._inferring(probabilities=probabilities)
        kept = MAPS if probabilities else {}
        inferer = component(
            "shared.tasks.segmentation.heads.HeadInferer", locate="@locate", inferer=plain["inferer"],
            locator=self._locating(),
        )  # fmt: skip
        restored = component(
            "shared.tasks.segmentation.restoring_heads.RestoreHeadd", keys="pred", **kept,
            crops=plain["postprocessing"]["transforms"],
        )  # fmt: skip
        return {"inferer": inferer, "postprocessing": restored}

    def _locating(self) -> Part:
        network = {key: value for key, value in self.locator.network.items() if key not in ("_target_", "spatial_dims")}
        return component(
            "shared.tasks.segmentation.locating.Locator", weights="@locator_weights", device="@device",
            pixdim=self.locator.grid["pixdim"], **network, out_channels=len(self.locator.class_names),
            sides=list(self.sides), scattered=list(self.scattered),
        )  # fmt: skip

    def _scored_labels(self) -> Part:
        return super()._scored_labels() | {"_target_": "shared.tasks.segmentation.head_labels.ReadHeadLabeld"}

    def _task(self, role: str, **more: object) -> Part:
        return super()._task(role, **more) | {"_target_": f"shared.tasks.segmentation.head_results.Head{role}"}
