import torch
from torch import Tensor, nn

from shared.explaining.maps import gradient, guided, occlusion, saliency

VIEW = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))


class Weighted(nn.Module):
    """Evidence for two classes: sums of a view by weights, the second's negated."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.weights = nn.Parameter(weights)

    def forward(self, image: Tensor) -> Tensor:
        total = (image[:, 0] * self.weights).sum(dim=(1, 2))
        return torch.stack([total, -total], dim=1)


def test_what_a_linear_network_depends_on_is_its_weights() -> None:
    weights = torch.linspace(-1, 1, 64).reshape(8, 8)
    evidence = Weighted(weights)
    torch.testing.assert_close(gradient(evidence, VIEW, 0)[0, 0], weights)
    torch.testing.assert_close(gradient(evidence, VIEW, 1)[0, 0], -weights)
    # Of 4 equal gradients g SmoothGrad gives sqrt(4 g²) / 4, which is |g| / 2.
    torch.testing.assert_close(saliency(evidence, VIEW, 0, samples=4), weights.abs() / 2)


def test_hiding_what_matters_lowers_the_evidence_and_hiding_the_rest_does_not() -> None:
    weights = torch.zeros(8, 8)
    weights[:4, 4:] = 1.0
    view = VIEW.clone()
    view[0, 0, :4, 4:] += 1
    lost = occlusion(Weighted(weights), view, 0, patches=2)
    expected = torch.zeros(8, 8)
    expected[:4, 4:] = (view[0, 0, :4, 4:] - view.mean()).sum()  # each of the patch's values becomes the mean
    torch.testing.assert_close(lost, expected, atol=1e-4, rtol=0)  # sums of 64 float32


def test_patches_need_not_divide_a_volume() -> None:
    evidence = nn.Sequential(nn.Flatten(), nn.Linear(7 * 5 * 4, 2))
    assert occlusion(evidence, torch.rand(1, 1, 7, 5, 4), 1, patches=3).shape == (7, 5, 4)


def test_guided_gradients_do_not_pass_back_what_lowers_an_activation() -> None:
    """One value raises the output, by 2, one lowers it: the second has a gradient of −3 and a guided one of 0."""
    for activation in (nn.ReLU(inplace=True), nn.LeakyReLU(0.1), nn.SiLU()):
        network = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False), activation, nn.Linear(2, 1, bias=False))
        network[1].weight.data = torch.eye(2)
        network[3].weight.data = torch.tensor([[2.0, -3.0]])
        view = torch.tensor([20.0, 30.0]).reshape(1, 1, 1, 2)  # where SiLU's slope is 1 but for 4e-8
        torch.testing.assert_close(gradient(network, view, 0).flatten(), torch.tensor([2.0, -3.0]))
        torch.testing.assert_close(guided(network, view, 0).flatten(), torch.tensor([2.0, 0.0]))
        torch.testing.assert_close(gradient(network, view, 0).flatten(), torch.tensor([2.0, -3.0]))  # as before
