"""What a run was measured on: the kind follows the processor's flags."""

import pytest
import torch

from shared.benchmarks.machine import KINDS, described, kind_of, versions


@pytest.mark.parametrize(
    ("flags", "kind"),
    [
        ({"avx512_bf16": True, "amx_bf16": True}, "amx"),
        ({"avx512_bf16": True, "amx_bf16": False}, "avx512_bf16"),
        ({}, "plain"),
    ],
)
def test_the_kind_of_a_processor_is_that_of_its_flags(
    flags: dict[str, bool], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: flags)
    assert kind_of("cpu") == kind
    assert kind_of("cuda") == "gpu"
    assert {kind, "gpu"} <= set(KINDS)


def test_a_line_on_the_machine_names_its_flags_or_that_it_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True, "avx2": True})
    assert "(avx512_bf16), 3 threads" in described("cpu", 3)
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    assert "(neither avx512_bf16 nor amx_bf16)" in described("cpu", 3)


def test_a_package_that_is_not_installed_is_named_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.benchmarks.machine.PACKAGES", ("torch", "a-package-of-no-one"))
    assert versions() == f"torch {torch.__version__}, a-package-of-no-one not installed"
