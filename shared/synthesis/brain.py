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
WHITE, GRAY, FLUID = (2, 28, 16, 85, 7), (3, 8, 17, 18, 26, 11, 12), TISSUES["CSF"]


def _weighting(
    white: float, gray: float, fluid: float, *, thalamus: float, pallidum: float, lesion: float
) -> dict[int, float]:
    means = {value: mean for ids, mean in ((WHITE, white), (GRAY, gray), (FLUID, fluid)) for value in ids}
    return means | {10: thalamus, 13: pallidum, LESIONS[0]: lesion, VESSELS[0]: fluid}


# What the usual sequences show bright and dark, on the scale of 0 to 255 (ours, from the order of T1, T2 and proton
# densities at 1.5 to 3 T; `Ranges.strangeness` varies them).
WEIGHTINGS = {
    "T1": _weighting(190, 125, 45, thalamus=155, pallidum=170, lesion=135),
    "T2": _weighting(85, 120, 215, thalamus=105, pallidum=65, lesion=160),
    "FLAIR": _weighting(110, 150, 35, thalamus=135, pallidum=100, lesion=210),
    "PD": _weighting(130, 180, 205, thalamus=165, pallidum=120, lesion=190),
}
# What a head is coarsely made of: the rest of each half of a brain counts as its white matter, what lies in the middle
# as brain stem.
HIPPOCAMPI = (17, 53)
COARSE = {**dict.fromkeys(SIDES, 2), **dict.fromkeys(SIDES.values(), 41), 14: 16, 15: 16, 72: 24, 85: 24}
# The names of what is learned, by id.
STRUCTURES = {
    2: "cerebral_white_matter", 3: "cerebral_cortex", 4: "lateral_ventricle", 5: "inferior_lateral_ventricle",
    7: "cerebellum_white_matter", 8: "cerebellum_cortex", 10: "thalamus", 11: "caudate", 12: "putamen", 13: "pallidum",
    17: "hippocampus", 18: "amygdala", 26: "accumbens", 28: "ventral_diencephalon",
}  # fmt: skip
CLASSES = {
    0: "background", 14: "third_ventricle", 15: "fourth_ventricle", 16: "brain_stem", 24: "csf",
    **{value: f"left_{name}" for value, name in STRUCTURES.items()},
    **{SIDES[value]: f"right_{name}" for value, name in STRUCTURES.items()},
}  # fmt: skip
FLUIDS = sorted({*TISSUES["CSF"], *(SIDES[value] for value in TISSUES["CSF"] if value in SIDES)} & set(CLASSES))
LEARNED = sorted({0, *NO_SIDES, *(set(SIDES) | set(SIDES.values())) - set(MERGED)})


def brain_labels(ids: Iterable[int], learned: Iterable[int] = LEARNED) -> Labels:
    """The tables of label maps that hold `ids`, for a network that learns `learned`, background (0) first."""
    return Labels.make(ids, learned=[*learned], sides=SIDES, merged=MERGED, tissues=TISSUES, contrasts=WEIGHTINGS)


def coarse_labels(ids: Iterable[int], learned: Iterable[int] = (0, 2, 16, 17, 24, 41, 53)) -> Labels:
    """The tables of label maps that hold `ids`, for a network that finds hippocampi in T1-weighted heads.

    It learns `learned`, background (0) first: the hippocampi apart from the coarse parts of a head around them.
    """
    merged = {value: part for value, part in COARSE.items() if value not in HIPPOCAMPI}
    contrasts = {"T1": WEIGHTINGS["T1"]}
    return Labels.make(ids, learned=[*learned], sides=SIDES, merged=merged, tissues=TISSUES, contrasts=contrasts)
