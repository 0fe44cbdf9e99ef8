"""Random changes of colour, as between stains, microscopes and cameras."""

import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, RandomizableTransform
from torch import Tensor

from shared.images.accepting import LUMINANCE
from shared.samples import Sample


class RandStainJitterd(RandomizableTransform, MapTransform):
    """Scale and shift how much of each stain is in an RGB image (3, *S) from `black` to 1, the white of no stain.

    Haematoxylin, eosin and a third are parted in optical density; each is multiplied by 1 ± `scale` and raised by
    ± `shift`. A gray image shows no stains and stays as it is. Source: Tellez et al., Whole-Slide Mitosis Detection,
    IEEE TMI 2018, sec. III-B; the stains' colours are Ruifrok and Johnston's, from scikit-image.
    """

    def __init__(
        self, keys: KeysCollection, *, prob: float = 0.5, scale: float = 0.15, shift: float = 0.03, black: float = 0
    ) -> None:
        MapTransform.__init__(self, keys)
        RandomizableTransform.__init__(self, prob)
        from skimage.color import rgb_from_hed

        self.scale = scale
        self.shift = shift
        self.black = black
        self.colours = torch.as_tensor(rgb_from_hed, dtype=torch.float32)

    def randomize(self, data: object = None) -> None:
        super().randomize(None)
        self.factor = torch.as_tensor(self.R.uniform(1 - self.scale, 1 + self.scale, 3), dtype=torch.float32)
        self.offset = torch.as_tensor(self.R.uniform(-self.shift, self.shift, 3), dtype=torch.float32)

    def __call__(self, data: Sample) -> Sample:
        out = dict(data)
        self.randomize()
        for key in self.key_iterator(out) if self._do_transform else ():
            if not bool((out[key] == out[key][:1]).all()):
                light = (out[key] - self.black) / (1 - self.black)
                stronger = stained(light, self.colours, self.factor, self.offset)
                out[key] = self.black + (1 - self.black) * stronger
        return out


class RandSaturationd(RandomizableTransform, MapTransform):
    """Move RGB images (3, *S) from 0 to 1 towards their luminance or away from it, and make them brighter or darker.

    saturation, brightness: the furthest that each factor is from 1.
    """

    def __init__(
        self, keys: KeysCollection, *, prob: float = 0.5, saturation: float = 0.5, brightness: float = 0.3
    ) -> None:
        MapTransform.__init__(self, keys)
        RandomizableTransform.__init__(self, prob)
        self.ranges = (saturation, brightness)

    def randomize(self, data: object = None) -> None:
        super().randomize(None)
        self.saturation, self.brightness = (self.R.uniform(1 - r, 1 + r) for r in self.ranges)

    def __call__(self, data: Sample) -> Sample:
        out = dict(data)
        self.randomize()
        for key in self.key_iterator(out) if self._do_transform else ():
            image = out[key]
            gray = torch.einsum("c...,c->...", image, image.new_tensor(LUMINANCE))[None]
            out[key] = ((gray + (image - gray) * self.saturation) * self.brightness).clamp(0, 1)
        return out


class RandWhiteBalanced(RandomizableTransform, MapTransform):
    """Multiply each colour of RGB images (3, *S) from 0 to 1 by a factor of its own, from 1 / `cast` to `cast`.

    So does a lamp of another colour, or a camera that takes another colour for white.
    """

    def __init__(self, keys: KeysCollection, *, prob: float = 0.5, cast: float = 1.4) -> None:
        MapTransform.__init__(self, keys)
        RandomizableTransform.__init__(self, prob)
        self.cast = cast

    def randomize(self, data: object = None) -> None:
        super().randomize(None)
        self.factor = torch.as_tensor(self.cast ** self.R.uniform(-1, 1, 3), dtype=torch.float32)

    def __call__(self, data: Sample) -> Sample:
        out = dict(data)
        self.randomize()
        for key in self.key_iterator(out) if self._do_transform else ():
            factor = self.factor.reshape(3, *[1] * (out[key].ndim - 1))
            out[key] = (out[key] * factor).clamp(0, 1)
        return out


def stained(image: Tensor, colours: Tensor, factor: Tensor, offset: Tensor) -> Tensor:
    """An RGB image (3, *S) whose stains are multiplied by `factor` and raised by `offset`, three numbers each.

    colours: (3, 3), the optical density in red, green and blue of one unit of each stain, a row a stain.
    """
    change = torch.linalg.inv(colours) @ torch.diag(factor) @ colours
    density = -image.clamp(min=1e-3).log().flatten(1)
    return torch.exp(-(change.T @ density + (offset @ colours)[:, None])).clamp(0, 1).reshape(image.shape)
