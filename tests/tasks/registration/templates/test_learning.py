"""What a template learns from: images that it is compared with, and displacements that are to cancel out."""

from pathlib import Path

import nibabel as nib
import numpy as np
import torch

from shared.nets.template import TemplateMorph
from shared.spatial.itk import matrix_of_grid, to_itk
from shared.spatial.warping import warp
from shared.tasks.registration.losses import RegistrationLoss
from shared.tasks.registration.similarity import similarity_named
from shared.tasks.registration.templates.centring import TemplateCentring, centre, mean_displacement
from shared.tasks.registration.templates.file import image_file
from shared.tasks.registration.templates.inferer import ThroughTemplate
from shared.tasks.registration.templates.learner import TemplateStart, ToTemplate
from shared.tasks.registration.templates.loss import TemplateLoss
from shared.tasks.registration.templates.transforms import OntoReferenced, affine_of
from shared.tasks.registration.transforms import working_grid

SIZE = (24, 32)


def small_network() -> TemplateMorph:
    torch.manual_seed(0)
    return TemplateMorph(2, SIZE, attributes=1, filters=[4, 8], shape_filters=4, shape_levels=2)


def ellipse(width: float) -> torch.Tensor:
    """A bright ellipse (1, 1, *SIZE) whose half axis along the second axis is `width` voxels."""
    x, y = torch.meshgrid(*(torch.arange(float(s)) - (s - 1) / 2 for s in SIZE), indexing="ij")
    return torch.sigmoid(8 * (1 - ((x / 7) ** 2 + (y / width) ** 2).sqrt()))[None, None]


def test_the_template_begins_as_the_mean_and_only_once() -> None:
    network = small_network()
    images = [{"image": torch.full((1, *SIZE), value), "affine": 2 * np.eye(4)} for value in (1.0, 3.0)]
    TemplateStart(network, images).begin()  # type: ignore[arg-type]
    assert torch.equal(network.template, torch.full((1, 1, *SIZE), 2.0))
    assert torch.equal(network.affine, 2 * torch.eye(4))
    TemplateStart(network, images[:1]).begin()  # type: ignore[arg-type]
    assert float(network.template.detach().mean()) == 2  # as a finetuned one is kept


def test_the_running_mean_leads_displacements_back_also_by_attribute() -> None:
    """Of displacements that are 1 voxel wherever the attribute is 1, and -1 where it is -1, the mean is 0."""
    loss = TemplateLoss(
        RegistrationLoss(similarity_named("mse"), smoothness=0), size=SIZE, attributes=1, magnitude=0, centring=1
    )  # fmt: skip
    image, codes = torch.zeros(2, 1, *SIZE), torch.tensor([[1.0], [-1.0]])
    there = codes[..., None, None].expand(2, 2, *SIZE).clone().requires_grad_()
    zero = torch.zeros(2, 2, *SIZE)
    loss(
        {"velocity": zero, "template": image, "there": there, "back": zero}, {"image": image, "codes": codes}
    ).backward()
    assert float(loss.running[0].abs().max()) == 0
    assert float(loss.running[1].mean()) > 0
    assert torch.equal(there.grad.sign(), codes[..., None, None].expand_as(there))  # type: ignore[union-attr]


class ByCentre(TemplateMorph):
    """Registers by moving centre of mass upon centre of mass."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        axes = torch.meshgrid(*(torch.arange(float(s)) for s in SIZE), indexing="ij")
        centres = torch.stack([(x * axis).sum((2, 3)) / x.sum((2, 3)) for axis in axes], dim=2)
        return (centres[:, 0] - centres[:, 1])[..., None, None].expand(-1, -1, *SIZE)


def test_a_template_is_moved_to_the_middle_of_what_is_registered_to_it(tmp_path: Path) -> None:
    network = ByCentre(2, SIZE, filters=[4, 8])
    network.template.data = ellipse(8)
    images = [
        warp(ellipse(8), torch.tensor([-1.0, shift])[None, :, None, None].expand(1, 2, *SIZE)) for shift in (1, 4)
    ]
    assert torch.allclose(mean_displacement(network, images).mean((0, 2, 3)), torch.tensor([1.0, -2.5]), atol=0.02)
    torch.save(network.state_dict(), tmp_path / "model.pt")
    data = [{"image": image[0]} for image in images]
    TemplateCentring(network, data, tmp_path).end()  # type: ignore[arg-type]
    again = ByCentre(2, SIZE, filters=[4, 8])
    again.load_state_dict(torch.load(tmp_path / "model.pt"))
    before, after = centre(again, images, rounds=0)
    assert before == after < 0.01


def test_template_and_registration_are_learned_together_and_the_template_follows_the_attribute() -> None:
    """Ellipses of two widths and a code that tells them apart: the template of each code is wider or narrower."""
    network = small_network()
    images, codes = torch.cat([ellipse(6), ellipse(11)]), torch.tensor([[-1.0], [1.0]])
    TemplateStart(network, [{"image": i, "affine": np.eye(4)} for i in images]).begin()  # type: ignore[arg-type]
    learner = ToTemplate(network)
    loss = TemplateLoss(
        RegistrationLoss(similarity_named("mse"), smoothness=0.01), size=SIZE, attributes=1, magnitude=0.0005,
        centring=0.01,
    )  # fmt: skip
    optimizer = torch.optim.Adam(learner.parameters(), lr=0.01)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        value = loss(learner(images, codes), {"image": images, "codes": codes})
        value.backward()
        optimizer.step()
        losses.append(float(value.detach()))
    assert losses[-1] < losses[0] / 2
    with torch.no_grad():
        narrow, wide = (float(network.template_of(code[None]).sum()) for code in codes)
    assert wide > 1.2 * narrow  # of the images themselves, 11 / 6


def test_a_pair_goes_through_the_template_and_back() -> None:
    network = small_network()
    next(network.unet.heads.parameters()).data.normal_(std=0.3)
    network.template.data.copy_(ellipse(8))
    pair = torch.cat([ellipse(6), ellipse(11)], dim=1)
    with torch.no_grad():
        there, back = ThroughTemplate(with_inverse=True)(pair, network).split(2, dim=1)
        ways = [network.velocity(torch.cat([image, network.template], dim=1)) for image in pair.split(1, dim=1)]
        onto_template = warp(pair[:, :1], network.displacement(ways[0], SIZE))
        expected = warp(onto_template, network.displacement(-ways[1], SIZE))
        moved = warp(pair[:, :1], there)
        returned = there + warp(back, there, padding="border")
    assert float(there.abs().max()) > 0.5
    assert float((moved - expected).abs().mean()) < 0.01  # the one interpolates once, the other twice
    assert float(returned.abs().mean()) < 0.1  # voxels: each way is integrated by itself


def test_a_template_lies_where_the_first_image_lies(tmp_path: Path) -> None:
    """Of a slice stored as scanners do, and a larger size: voxels keep their places in the patient."""
    affine = np.array([[-1.5, 0, 0, 80], [0, 0, 1, -7], [0, -2, 0, 96], [0, 0, 0, 1.0]])
    values = np.random.default_rng(0).random((1, 20, 30, 1), dtype=np.float32)
    path, size = tmp_path / "a.nii.gz", (24, 26)
    nib.save(nib.Nifti1Image(values[0], affine), path)
    data = OntoReferenced(path, size, spatial_dims=2)({"image": str(path)})
    made = image_file(data["image"].numpy(), data["affine"])
    # Of the first axis 2 voxels are added on either side, of the second 2 are cut off; both are turned toward RAS.
    place = made.affine @ [2, 0, 0, 1]
    stored = np.rint(np.linalg.inv(affine) @ place).astype(int)
    assert np.abs(affine @ stored - place).max() < 1e-4
    assert made.values[0, 2, 0, 0] == values[0, stored[0], stored[1], 0]
    assert np.allclose(affine_of(made, matrix_of_grid(working_grid(made))), made.affine)  # it is its own grid
    assert to_itk(made).GetSize() == size
