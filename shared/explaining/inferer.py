"""An inferer that explains what a network answers, in place of giving the answer."""

import time
from collections.abc import Sequence
from typing import Any

import torch
from monai.inferers import Inferer
from monai.utils import convert_to_tensor
from torch import Tensor, nn
from tqdm import tqdm

from shared.errors import InputError
from shared.explaining.expecting import Work, expected
from shared.explaining.maps import guided, occlusion, saliency
from shared.explaining.reading import Evidence, Looks, Network, Reading
from shared.explaining.robustness import robustness

SEED = 0  # of noise, so that an explanation does not depend on the cases before it


class ExplainingInferer(Inferer):
    """Explain the view of an image, (1, C, *S), in which a bundle's `inferer` finds most.

    network: the one that gradients go through; the one that the inferer is called with finds the view. of_class: the
    name of the class whose evidence is mapped; "": the one of which most is found. samples: noisy views of
    the saliency. patches: along each axis, of the occlusion. epsilons: see `robustness`. Before the first explanation
    that will take long or much memory, a line says so.
    Returns "view", (1, C, *V); "saliency", "guided", "occlusion", (1, 1, *V); "evidence", (1); "fgsm" and "noise",
    (1, E); "of_class", (1), the class, or -1 alone where nothing of it is found.
    Raises InputError where `of_class` is no class, or an epsilon is not from 0 to 1.
    """

    def __init__(
        self,
        inferer: Inferer,
        network: nn.Module,
        reading: Reading,
        *,
        class_names: Sequence[str],
        of_class: str = "",
        samples: int = 8,
        patches: int = 8,
        epsilons: Sequence[float] = (),
    ) -> None:
        if of_class and of_class not in class_names:
            raise InputError(
                "--of_class", expected=f"one of {', '.join(class_names)}", got=of_class, fix="correct the option"
            )
        if any(not 0 <= epsilon <= 1 for epsilon in epsilons):
            raise InputError("--epsilons", expected="fractions, 0 to 1", got=list(epsilons), fix="correct the option")
        self.inferer = inferer
        self.network = network
        self.reading = reading
        self.wanted = list(class_names).index(of_class) if of_class else None
        self.samples = samples
        self.patches = patches
        self.epsilons = list(epsilons)
        self.is_first = True

    def __call__(self, inputs: Tensor, network: Network, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        looks = Looks(network, self.reading)
        self.inferer(inputs, looks, *args, **kwargs)
        if looks.best is None:
            return {"of_class": torch.tensor([-1])}
        with torch.random.fork_rng(), torch.enable_grad():
            torch.manual_seed(SEED)
            return self._explained(convert_to_tensor(looks.best, track_meta=False).float())

    def _explained(self, view: Tensor) -> dict[str, Tensor]:
        self.network.eval()  # an evaluator does so with the copy that it runs
        begun = time.perf_counter()
        with torch.no_grad():
            answer = self.network(view)
        seconds = time.perf_counter() - begun
        amounts = self.reading.amounts(answer)
        of_class = int(amounts.argmax()) if self.wanted is None else self.wanted
        if not amounts[of_class]:
            return {"of_class": torch.tensor([-1])}
        self._announce(view, seconds)
        evidence = Evidence(self.network, self.reading, answer)
        maps = {
            "saliency": saliency(evidence, view, of_class, samples=self.samples),
            "guided": guided(evidence, view, of_class),
            "occlusion": occlusion(evidence, view, of_class, patches=self.patches),
        }
        fgsm, noise = robustness(evidence, view, self.epsilons)
        with torch.no_grad():
            strength = evidence(view)[:, of_class]
        return {
            "view": view, "evidence": strength, "of_class": torch.tensor([of_class]), "fgsm": fgsm[None],
            "noise": noise[None], **{name: values[None, None] for name, values in maps.items()},
        }  # fmt: skip

    def _announce(self, view: Tensor, seconds: float) -> None:
        """Print what is to come, once, where that is long or large; of the cases after it the report does so.

        seconds: of an answer for the view.
        """
        if not self.is_first or view.device.type != "cpu":
            return
        self.is_first = False
        work = Work.of(view, samples=self.samples, patches=self.patches, epsilons=len(self.epsilons))
        line = expected(self.network, self.reading, view, seconds, work)
        if line:
            tqdm.write(line)
