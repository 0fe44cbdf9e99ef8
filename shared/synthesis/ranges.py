"""How far a synthetic image may be from its label map, and from where each number comes."""

from dataclasses import dataclass, replace

# What `Ranges.widened` narrows, to nothing or, in mm, to 1; contrasts are as random from the beginning.
GROWN = (
    "rotation", "scaling", "shearing", "translation", "warp", "bias", "gamma", "noise", "skull_strip", "crop",
)  # fmt: skip
THICKENED = ("thin_slices", "thick_slices")


@dataclass(frozen=True, kw_only=True)
class Ranges:
    """The largest changes of shape, contrast, artefacts and resolution; each is drawn anew for every sample.

    "Code" is the default of SynthSeg's published training (github.com/BBillot/SynthSeg, SynthSeg/training.py), "paper"
    Billot et al., SynthSeg, Medical Image Analysis 86, 2023; "ours" has no source.

    Shape. rotation: degrees around each axis (code). scaling: of each axis around 1 (code). shearing (code).
    translation: mm along each axis; the code crops at random instead. warp: mm, the largest standard deviation of
    the velocities on a grid of `warp_spacing` mm (code: 1 mm / 0.04). flip: probability that left is right (code).

    Contrast, for intensities of 0 to 255. mean, deviation: the least and largest of a tissue's Gaussian (code).
    kinship: the largest share that labels of one tissue, as white matter or CSF, have in common; 0 draws each label
    alone, as the code does, 1 makes them alike, as most scans do (ours). weighted: probability that the means lie
    between those of a known sequence, such as T1, and random ones; strangeness: the largest share of the random ones
    in them (both ours; 0 in the code). dark_background: probability that what is
    outside of the head is black. skull_strip: probability that all outside of the brain is black (ours).

    Artefacts. bias: the largest standard deviation of the logarithm of the bias field on a grid of `bias_spacing` mm
    (code: 1 mm / 0.025). gamma: standard deviation of the logarithm of the exponent (code: 0.4 in its
    IntensityAugmentation). noise: the largest standard deviation of the noise of a scan, of the image's range (ours).

    Resolution. thin_slices, thick_slices: mm, the largest voxel size of an isotropic and of a sliced scan (code).
    profile: least and largest standard deviation of a slice's profile, of its thickness: 0.29 is that of a box, 0.75
    the code's.
    crop: probability that the scan does not show all of the volume; crop_share: the most that is cut of an axis (ours).
    """

    rotation: float = 15.0
    scaling: float = 0.15
    shearing: float = 0.012
    translation: float = 12.0
    warp: float = 3.0
    warp_spacing: float = 25.0
    flip: float = 0.5
    mean: tuple[float, float] = (25.0, 225.0)
    deviation: tuple[float, float] = (5.0, 25.0)
    kinship: float = 0.95
    weighted: float = 0.5
    strangeness: float = 1.0
    dark_background: float = 0.8
    skull_strip: float = 0.25
    bias: float = 0.5
    bias_spacing: float = 40.0
    gamma: float = 0.4
    noise: float = 0.05
    thin_slices: float = 4.0
    thick_slices: float = 8.0
    profile: tuple[float, float] = (0.29, 0.75)
    crop: float = 0.3
    crop_share: float = 0.33

    def widened(self, width: float) -> "Ranges":
        """With changes of shape, artefacts and resolution that are `width` (0 to 1) as far."""
        thinner = {name: 1 + (getattr(self, name) - 1) * width for name in THICKENED}
        return replace(self, **{name: getattr(self, name) * width for name in GROWN}, **thinner)
