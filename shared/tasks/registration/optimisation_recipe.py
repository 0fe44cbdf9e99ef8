"""The configs of a registration by an optimisation of each pair, from what is special about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.engine import recipe as common
from shared.engine.recipe import Config, Part, component, function
from shared.tasks.registration.atlas_recipe import segmenting_by_atlases
from shared.tasks.registration.recipe import (
    FOUND_PAIRS,
    MEMORY,
    ON_CPU,
    PAIR,
    SCORING,
    SELECTED_PAIRS,
    WRITING,
    WRITTEN,
    Registration,
    reading_pairs,
    split_with_labels,
)

ON_DEVICE = "$@network_def.to(@device)"


@dataclass(frozen=True, kw_only=True)
class Optimisation:
    """What is special about a registration by optimisation.

    descriptions: by config. presets: the methods by name, the default first. parts: entries that presets refer to, of
    which `weights_of` is the network that the weights are loaded into. alignment: options of how a pair is put onto
    one grid. training: of that network.
    """

    descriptions: Mapping[str, str]
    class_names: Sequence[str]
    label_suffix: str
    alignment: Part
    parts: Part
    presets: Part
    weights_of: str
    training: Registration

    def configs(self) -> dict[str, Config]:
        inference = self._inference()
        by_atlases = segmenting_by_atlases(inference, self.label_suffix, self.class_names)
        return {
            "inference": inference, "evaluate": self._evaluate(), "atlases": by_atlases,
            **self.training.training_configs(),
        }  # fmt: skip

    def _inference(self) -> Config:
        forms = {
            "warp": function("shared.tasks.registration.onnx_forms.Warp"),
            "gather": function("shared.tasks.registration.onnx_forms.Warp", gather=True),
        }
        network = component(  # without options of onnxruntime: a warp alone never runs there in place of the whole
            "shared.export.runtime.in_runtime", network=ON_DEVICE, runtime="@runtime", forms="@onnx_forms"
        )
        return self._over_cases(
            description=self.descriptions["inference"],
            options=PAIR | WRITTEN | self._registering() | MEMORY | {"runtime": "torch"},
            places=common.paths("outputs", weights=common.MODEL),
            network=self._methods() | {"onnx_forms": forms, "network": network},
            preprocessing=reading_pairs(memory_limit="@memory_limit"),
            cases=FOUND_PAIRS,
            report=WRITING,
        )

    def _evaluate(self) -> Config:
        classes = {"class_names": list(self.class_names)}
        return self._over_cases(
            description=self.descriptions["evaluate"],
            options=split_with_labels(self.label_suffix) | common.DRAWING | classes | self._registering(),
            places=common.paths("outputs/evaluation", weights=common.MODEL),
            network=self._methods() | {"network": ON_DEVICE},
            preprocessing=reading_pairs(),
            cases=SELECTED_PAIRS,
            report=SCORING,
        )

    def _over_cases(self, **groups: Any) -> Config:
        """Pairs are registered as the loader takes them, so that its workers do several at once."""
        registering = component(
            "shared.tasks.registration.inferer.RegisterPaird", network="@network", inferer="@inferer", device="@device"
        )
        inference = {
            "inferer": component("SimpleInferer"),
            "registering": registering,
            "registered": common.case_dataset("@dataset", "@registering"),
            "dataloader": common.case_loader("@registered", "@workers"),
            "postprocessing": ON_CPU,
        }
        prepared = function("shared.tasks.registration.inferer.prepare_registered")
        return common.over_cases(
            **groups,
            inference=inference,
            weights_of=self.weights_of,
            evaluator={"network": "$torch.nn.Identity()", "prepare_batch": prepared},
        )

    def _methods(self) -> Part:
        presets = {name: f"@{name}" for name in self.presets}
        chosen = component("shared.tasks.registration.optimising.preset", name="@preset", presets=presets)
        return self.parts | self.presets | {"network_def": chosen}

    def _registering(self) -> Part:
        return self.alignment | {"preset": next(iter(self.presets)), "workers": 0, "device": common.DEVICE}
