"""The labels of whole heads as FreeSurfer and SynthSeg number them."""

from collections.abc import Iterable

from shared.synthesis.labels import Labels

# Left ids and their right ones, of FreeSurferColorLUT.txt.
SIDES = {
    2: 41, 3: 42, 4: 43, 5: 44, 7: 46, 8: 47, 10: 49, 11: 50, 12: 51, 13: 52, 17: 53, 18: 54, 25: 57, 26: 58, 28: 60,
    30: 62, 136: 163, 137: 164,
}  # fmt: skip
NO_SIDES = (14, 15, 16, 24)  # third and fourth ventricle, brain stem, CSF
LESIONS, VESSELS = (25, 57), (30, 62)
# What is learned as something else: lesions as the white matter around them, vessels as what is most often beside them,
# parts of ventricles as the whole.
MERGED = {25: 2, 57: 41, 30: 2, 62: 41, 136: 4, 163: 43, 137: 5, 164: 44, 72: 24, 85: 24}
TISSUES = {
    "white matter": (2, 7, 16, 28, 85),
    "gray matter": (3, 8, 10, 11, 12, 13, 17, 18, 26),
    "CSF": (4, 5, 14, 15, 24, 72, 136, 137),
    "lesion": LESIONS[:1],
    "vessel": VESSELS[:1],
}
LEARNED = sorted({0, *NO_SIDES, *(set(SIDES) | set(SIDES.values())) - set(MERGED)})


def brain_labels(ids: Iterable[int], learned: Iterable[int] = LEARNED) -> Labels:
    """The tables of label maps that hold `ids`, for a network that learns `learned`, background (0) first."""
    return Labels.make(ids, learned=[*learned], sides=SIDES, merged=MERGED, tissues=TISSUES)
