"""What an archive requires: the run-time dependencies of pyproject.toml, at the versions of constraints.txt."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shared.errors import InputError
from shared.files import parsed_json, read_text

PIN = re.compile(r"(?P<name>[\w.-]+)==(?P<version>[^\s;#]+)")


def pinned(root: Path) -> dict[str, str]:
    """Versions by the name of the package, in the order of `root`/pyproject.toml, `root` being a checkout.

    Raises InputError where one of the two files cannot be read, or constraints.txt lacks a dependency.
    """
    import tomllib  # of Python 3.11, which a checkout needs and an archive does not

    project, constraints = root / "pyproject.toml", root / "constraints.txt"
    try:
        dependencies = tomllib.loads(read_text(project))["project"]["dependencies"]
        versions = parse_pins(read_text(constraints))
    except (tomllib.TOMLDecodeError, KeyError) as error:
        raise InputError(
            root,
            expected="a checkout, with pyproject.toml and constraints.txt",
            got=repr(error),
            fix="correct these files",
        ) from error
    names = [re.split(r"[^\w.-]", dependency, maxsplit=1)[0] for dependency in dependencies]
    for name in names:
        if canonical(name) not in versions:
            raise InputError(constraints, expected=f"a version of {name}", got="none", fix="add it")
    return {name: versions[canonical(name)] for name in names}


def pins_text(versions: Mapping[str, str]) -> str:
    """For `pip install -r`."""
    return "".join(f"{name}=={version}\n" for name, version in versions.items())


def parse_pins(text: str) -> dict[str, str]:
    """Versions by the canonical name of the package, of the lines NAME==VERSION."""
    found = (PIN.match(line) for line in text.splitlines())
    return {canonical(pin["name"]): pin["version"] for pin in found if pin}


def made_with(metadata: Mapping[str, Any]) -> dict[str, str]:
    """Versions that metadata.json names, by the name of the package."""
    own = {
        "monai": metadata["monai_version"],
        "torch": metadata["pytorch_version"],
        "numpy": metadata["numpy_version"],
    }
    return own | metadata["required_packages_version"]


def with_versions(text: str, required: Mapping[str, str], where: object) -> str:
    """`text`, a metadata.json, with the versions of what it was made with as they are `required`.

    required: versions by any spelling of the names. Raises InputError where a package is not among them.
    """
    keys = {"monai": "monai_version", "torch": "pytorch_version", "numpy": "numpy_version"}
    versions = {canonical(name): version for name, version in required.items()}
    for name in made_with(parsed_json(text, where)):
        if canonical(name) not in versions:
            raise InputError(where, expected="packages of pyproject.toml", got=name, fix="add it there, or remove it")
        key = re.escape(keys.get(name, name))
        text = re.sub(rf'("{key}":\s*)"[^"]*"', rf'\g<1>"{versions[canonical(name)]}"', text, count=1)
    return text


def check_agreement(metadata: Mapping[str, Any], required: Mapping[str, str], where: object) -> None:
    """Raises InputError where metadata.json names a package that is not `required` in the same version.

    required: versions by any spelling of the names. where: what to name in the message.
    """
    versions = {canonical(name): version for name, version in required.items()}
    for name, version in made_with(metadata).items():
        got = versions.get(canonical(name))
        if got != version:
            raise InputError(
                where, expected=f"{name}=={version}, as metadata.json says, among the requirements",
                got=got or f"no {name}", fix="make metadata.json and constraints.txt agree, then pack again",
            )  # fmt: skip


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
