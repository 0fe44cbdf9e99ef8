"""What a plan of any task is made of: a recipe, and what metadata and card say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from shared.engine.recipe import Part
from shared.images.cases import Case
from shared.planning.starting import Start
from shared.planning.table import Finding


@dataclass(frozen=True, kw_only=True)
class Planned:
    """recipe: the dotted path of the task's recipe class. lists: of its arguments those that are long, by name.

    arguments: the others. meanings: of options that no other bundle has. findings: the plan's table.
    described: entries of metadata.json. samples: a few cases, by which the bundle could be tried.
    step_seconds: of a step of training, as measured; inf where it was not. start: what training begins from, if not
    from scratch.
    """

    task: str
    recipe: str
    lists: Mapping[str, Sequence[Any]]
    arguments: Part
    meanings: Mapping[str, str] = field(default_factory=dict)
    findings: Sequence[Finding]
    described: Part
    samples: Sequence[Case]
    step_seconds: float
    start: Start | None = None

    def changed(self, **arguments: Any) -> "Planned":
        """The same with other arguments of the recipe."""
        return replace(self, arguments={**self.arguments, **arguments})


def image_format(*, channels: Mapping[str, str], size: Sequence[int], **more: Any) -> Part:
    """`network_data_format` of what a network takes or gives. channels: what each is, by its place."""
    return {
        "type": "image", "format": "magnitude", "num_channels": len(channels), "spatial_shape": list(size),
        "dtype": "float32", "value_range": [], "is_patch_data": False, "channel_def": dict(channels),
    } | more  # fmt: skip
