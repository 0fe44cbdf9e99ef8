"""Whether images are nearer to the template of their attributes."""

from shared.studies.template_attributes import means


def test_a_shorter_displacement_and_a_higher_ncc_are_nearer() -> None:
    figures = {"ncc_before_own": 0.4, "ncc_before_all": 0.3, "ncc_after_own": 0.5, "ncc_after_all": 0.6}
    rows = [{**figures, "displacement_own": own, "displacement_all": 2.0} for own in (1.0, 3.0, 1.5, 1.0)]
    table = {row["figure"]: row for row in means(rows)}
    assert [table[name]["own nearer"] for name in ("ncc_before", "ncc_after", "displacement")] == [1, 0, 0.75]
    assert table["displacement"]["own"] == 1.625
