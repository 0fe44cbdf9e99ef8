"""What MONAI's dictionary transforms take and give."""

from collections.abc import Hashable, Mapping
from typing import Any

Sample = Mapping[Hashable, Any]  # data of a case by key: images, paths, ids, numbers
