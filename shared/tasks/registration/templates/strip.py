"""Templates of several attributes, written as files, and beside each other as a picture and one after another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from shared.engine.canvas import caption, save_picture, side_by_side, stacked
from shared.errors import InputError
from shared.files import write_atomically
from shared.outputs import Outputs
from shared.spatial.itk import to_itk
from shared.tasks.registration.pictures import COLUMN_WIDTH, from_below
from shared.tasks.registration.registered import write_on
from shared.tasks.registration.templates.file import TemplateFile
from shared.tasks.registration.templates.group import planes, template_values
from shared.tasks.registration.views import scaled, turned, upright

MILLISECONDS = 250  # a frame of the GIF


@dataclass(frozen=True)
class TemplateStrip:
    """The templates of `template`'s attributes, each of which is a value or a list of as many as those of the others.

    pictures: whether strip.png and, of several templates, strip.gif are drawn.
    """

    template: TemplateFile
    output_dir: str | Path
    pictures: bool = True

    def save(self) -> None:
        """Write template.nii.gz, or template_1.nii.gz and so on, and template_label.nii.gz likewise if it has labels.

        Raises InputError for lists of different lengths, and as `TemplateFile` and `Outputs.claim` do.
        """
        folder, chosen = Path(self.output_dir), each_of(self.template.attributes)
        numbers = [""] if len(chosen) == 1 else [f"_{i}" for i in range(1, len(chosen) + 1)]
        kinds = {"fixed": "template", "fixed_label": "template_label"}
        written = {(key, n): folder / f"{kind}{n}.nii.gz" for key, kind in kinds.items() for n in numbers}
        drawn = [folder / "strip.png", folder / "strip.gif"] if self.pictures else []
        Outputs(folder).claim([*written.values(), *drawn])
        panels = []
        for number, attributes in zip(numbers, chosen):
            template = self.template.of(attributes)
            for key, file in template.files.items():
                image = to_itk(file)
                write_on(template.image, written[key, number], image)
            panels.append(_panel(template))
        if self.pictures:
            self._draw(folder, panels)
        print(f"{len(chosen)} templates in {folder.resolve()}")

    def _draw(self, folder: Path, panels: Sequence[Image.Image]) -> None:
        save_picture(folder / "strip.png", side_by_side(panels))
        if len(panels) > 1:
            frames = [*panels, *panels[-2:0:-1]]  # there and back
            options: dict[str, Any] = {
                "save_all": True,
                "append_images": frames[1:],
                "duration": MILLISECONDS,
                "loop": 0,
            }
            write_atomically(folder / "strip.gif", lambda path: frames[0].save(path, **options))


def _save_moving(path: Path, frames: Sequence[Image.Image]) -> None:
    """Write pictures one after another, again and again, as a GIF."""
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=MILLISECONDS, loop=0)


def each_of(attributes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Attributes one by one, of those whose values are lists; the others are the same in each."""
    lists = {name: value for name, value in attributes.items() if isinstance(value, list | tuple)}
    lengths = {len(value) for value in lists.values()} or {1}
    if len(lengths) > 1 or 0 in lengths:
        raise InputError(
            "--attributes", expected="lists of one length", got=", ".join(map(str, sorted(lengths))), fix="correct them"
        )
    return [{name: value[i] if name in lists else value for name, value in attributes.items()} for i in range(*lengths)]


def _panel(template: TemplateFile) -> Image.Image:
    values = turned(scaled(template_values(template.image)), upright(template.image))
    text = ", ".join(f"{name} {value}" for name, value in template.attributes.items()) or "template"
    return stacked([caption(text, COLUMN_WIDTH, size=12), *(from_below(part) for part in planes(values))], gap=4)
