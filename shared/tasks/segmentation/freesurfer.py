"""FreeSurfer's numbers of brain structures and its colours for them."""

from collections.abc import Sequence

from shared.engine.drawing import COLOURS
from shared.synthesis.brain import SIDES

CSF = 24  # around the brain; that in the ventricles has numbers of its own
LEFT_OF = {right: left for left, right in SIDES.items()}
# FreeSurferColorLUT.txt, of FreeSurfer 7; the right structures have the colours of the left ones.
LUT = {
    2: (245, 245, 245), 3: (205, 62, 78), 4: (120, 18, 134), 5: (196, 58, 250), 7: (220, 248, 164), 8: (230, 148, 34),
    10: (0, 118, 14), 11: (122, 186, 220), 12: (236, 13, 176), 13: (12, 48, 255), 14: (204, 182, 142),
    15: (42, 204, 164), 16: (119, 159, 176), 17: (220, 216, 20), 18: (103, 255, 255), 24: (60, 60, 60),
    26: (255, 165, 0), 28: (165, 42, 42),
}  # fmt: skip

# Left structures that look alike in most contrasts, near enough to share a Gaussian; those of other ids have their own.
ALIKE = ((7, 16, 28), (3, 8), (11, 26), (17, 18), (4, 5, 14, 15))


def tissues_of(ids: Sequence[int]) -> list[int]:
    """The number of each id's tissue, from 0: both sides of a structure, and those that are `ALIKE`, are of one."""
    first = {value: group[0] for group in ALIKE for value in group}
    tissues = [first.get(left, left) for left in (LEFT_OF.get(value, value) for value in ids)]
    numbers = {tissue: number for number, tissue in enumerate(dict.fromkeys(tissues))}
    return [numbers[tissue] for tissue in tissues]


def colours_of(ids: Sequence[int]) -> list[str]:
    """A colour, as HTML writes it, for each id; of those that are not in `LUT` one of the zoo's."""
    return [
        "#{:02x}{:02x}{:02x}".format(*LUT[LEFT_OF.get(value, value)])
        if LEFT_OF.get(value, value) in LUT
        else COLOURS[value % len(COLOURS)]
        for value in ids
    ]
