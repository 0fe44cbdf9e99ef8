"""What registers in a study: a bundle, or SyN, which are called alike."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from shared.door import open_bundle
from shared.studies import syn
from shared.tasks.registration.registered import Registered

SYN = "syn"
Register = Callable[..., Registered]  # of "moving", "fixed", "moving_label" and "fixed_label", as of `predict`


def registration_by(name: str, options: Mapping[str, Any], *, frame: str = "") -> Register:
    """The registration by a bundle, or with "syn" by antspyx. Raises InputError as `open_bundle` does.

    options: of the bundle's inference.json. frame: what every image is registered to, a path or a word such as mni152;
    "": a bundle's own template, or what is named in each call.
    """
    register: Register = syn.register if name == SYN else open_bundle(name, **options).predict
    return partial(register, fixed=frame) if frame else register
