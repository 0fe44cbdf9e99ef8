"""Pictures that are the same but for turning, light and size are alike, and others are not."""

import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.images.lookalikes import groups_of_lookalikes, lookalikes, warned_of_lookalikes

TURNS = [(times, mirrored) for times in range(4) for mirrored in (False, True)]


def smooth(seed: int, side: int = 96) -> np.ndarray:
    """A gray picture of blobs of an eighth of its side, in which 24 pixels a side leave something to compare."""
    coarse = np.random.default_rng(seed).uniform(40, 200, (8, 8)).astype(np.float32)
    return np.asarray(Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC))


def written(path: Path, picture: np.ndarray) -> str:
    Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(path)
    return str(path)


@pytest.mark.parametrize(("times", "mirrored"), TURNS)
def test_each_of_eight_ways_to_lie_is_recognised(times: int, mirrored: bool, tmp_path: Path) -> None:
    picture = np.rot90(smooth(0), times)
    picture = picture[:, ::-1] if mirrored else picture
    others = [written(tmp_path / "turned.png", picture), written(tmp_path / "other.png", smooth(1))]
    assert lookalikes([written(tmp_path / "a.png", smooth(0))], others) == [(0, 0)]


def test_light_size_and_noise_do_not_hide_a_picture(tmp_path: Path) -> None:
    """Noise of 12 levels is of a standard deviation of 12 / 4 = 3 after 4 × 4 pixels have become one, blobs of some 40:
    the correlation is 1 / sqrt(1 + (3 / 40)²) = 0.997."""
    original, rng = smooth(0), np.random.default_rng(5)
    others = [
        written(tmp_path / "dark.png", original * 0.5 + 10),
        written(tmp_path / "large.png", smooth(0, side=300)),
        written(tmp_path / "noisy.png", original + rng.normal(0, 12, original.shape)),
        written(tmp_path / "colour.png", np.stack([original] * 3, axis=-1)),
    ]
    assert lookalikes([written(tmp_path / "a.png", original)], others) == [(0, 0), (0, 1), (0, 2), (0, 3)]


def test_constant_pictures_and_files_that_cannot_be_read_are_like_nothing(tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"nothing")
    blank = [written(tmp_path / f"{name}.png", np.full((30, 30), 90)) for name in "ab"]
    assert lookalikes([*blank, str(broken)], [*blank, str(broken)]) == []
    assert lookalikes([], blank) == []


def test_groups_go_on_from_one_picture_to_the_next(tmp_path: Path) -> None:
    """The first and the last are no more alike than ALIKE; the one between is like both."""
    first, last = smooth(0), smooth(0) + 0.35 * (smooth(3) - 120)
    pictures = [first, smooth(1), last, (first + last) / 2, smooth(2)]
    paths = [written(tmp_path / f"{number}.png", picture) for number, picture in enumerate(pictures)]
    assert (0, 2) not in lookalikes(paths, paths)
    assert groups_of_lookalikes(paths) == [0, 1, 0, 0, 4]


def test_a_line_names_the_pairs_and_the_cases_are_left_as_they_are(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def case(name: str, seed: int) -> dict[str, str]:
        return {"case": name, "image": written(tmp_path / f"{name}.png", smooth(seed))}

    cases = {"training": [case("a", 0), case("b", 1)], "validation": [case("c", 2), case("d", 1)]}
    with caplog.at_level(logging.WARNING):
        assert warned_of_lookalikes(cases) is cases
    (record,) = caplog.records
    assert "look alike" in record.getMessage()
    assert "b and d" in record.getMessage()
    assert "a and" not in record.getMessage()
    caplog.clear()
    warned_of_lookalikes({**cases, "validation": cases["validation"][:1]})
    assert not caplog.records
