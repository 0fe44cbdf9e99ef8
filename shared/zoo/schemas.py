"""The JSON Schemas that the zoo publishes: of its index, and of a bundle's metadata."""

from pathlib import Path

import jsonschema

from shared.errors import InputError
from shared.files import read_json

INDEX_SCHEMA = Path(__file__).with_name("model_zoo_schema_1.json")
METADATA_SCHEMA = Path(__file__).with_name("metadata_schema_1.json")


def check_schema(content: object, schema: Path, what: object) -> None:
    """Raises InputError, with the place in `content` and what is wrong there, where it does not fit the schema."""
    validator = jsonschema.Draft202012Validator(read_json(schema))
    try:
        error = jsonschema.exceptions.best_match(validator.iter_errors(content))
    except RecursionError as deep:
        raise InputError(what, expected=f"what {schema.name} says", got="endless nesting", fix="correct it") from deep
    if error is not None:
        place = "".join(f"[{part!r}]" for part in error.absolute_path) or "the whole"
        message = error.message if len(error.message) < 200 else f"{error.message[:200]}…"
        raise InputError(what, expected=f"what {schema.name} says", got=f"{place}: {message}", fix="correct it")
