"""Templates of several attributes, written as files, and beside each other as a picture and one after another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from shared.engine.canvas import caption, save_picture, side_by_side, stacked
from shared.errors import InputError
from shared.files import write_atomically
from shared.images.file import ImageFile
from shared.outputs import Outputs
from shared.spatial.itk import to_itk
from shared.tasks.registration.pictures import COLUMN_WIDTH, from_below
from shared.tasks.registration.registered import write_on
from shared.tasks.registration.templates.file import TemplateFile
from shared.tasks.registration.templates.group import planes, template_values
from shared.tasks.registration.views import scaled, turned, upright

ENDINGS = {"fixed": "", "fixed_label": "_label"}  # of the names of a template's files, by what they are
MILLISECONDS, MOVING_WIDTH, GRAYS = 250, 140, 32  # of a frame of the GIF: a page shall not be slow for it


@dataclass(frozen=True)
class TemplateStrip:
    """The templates of `template`'s attributes, each of which is a value or a list of as many as those of the others.

    pictures: whether strip.png and, of several templates, strip.gif are drawn.
    """

    template: TemplateFile
    output_dir: str | Path
    pictures: bool = True

    def save(self) -> None:
        """Write template.nii.gz, or template_1.nii.gz and so on, and if it has labels, template_label.nii.gz likewise.

        Raises InputError for lists of different lengths, and as `TemplateFile` and `Outputs.claim` do.
        """
        folder, chosen = Path(self.output_dir), each_of(self.template.attributes)
        names = ["template"] if len(chosen) == 1 else [f"template_{i}" for i in range(1, len(chosen) + 1)]
        files = {name: self.template.of(attributes).files for name, attributes in zip(names, chosen)}  # errors first
        written = {(n, key): folder / f"{n}{ENDINGS[key]}.nii.gz" for n in names for key in files[n]}
        drawn = [folder / "strip.png", folder / "strip.gif"] if self.pictures else []
        Outputs(folder).claim([*written.values(), *drawn])
        for (name, key), path in written.items():
            write_on(files[name]["fixed"], path, to_itk(files[name][key]))
        if self.pictures:
            self._draw(folder, [_panel(files[name]["fixed"], words) for name, words in zip(names, chosen)])
        print(f"{len(chosen)} templates in {folder.resolve()}")

    def _draw(self, folder: Path, panels: Sequence[Image.Image]) -> None:
        save_picture(folder / "strip.png", side_by_side(panels))
        if len(panels) > 1:
            frames = [*panels, *panels[-2:0:-1]]  # there and back
            write_atomically(folder / "strip.gif", lambda path: _save_moving(path, frames))


def _save_moving(path: Path, panels: Sequence[Image.Image]) -> None:
    """Write pictures one after another, again and again, as a GIF."""
    size = MOVING_WIDTH, round(panels[0].height * MOVING_WIDTH / panels[0].width)
    small = [panel.convert("L").resize(size, Image.Resampling.LANCZOS) for panel in panels]
    frames = [panel.quantize(GRAYS, dither=Image.Dither.NONE) for panel in small]
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


def _panel(file: ImageFile, attributes: Mapping[str, Any]) -> Image.Image:
    values = turned(scaled(template_values(file)), upright(file))
    text = ", ".join(f"{name} {value}" for name, value in attributes.items()) or "template"
    return stacked([caption(text, COLUMN_WIDTH, size=12), *(from_below(part) for part in planes(values))], gap=4)
