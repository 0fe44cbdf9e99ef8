"""Plan, write and, with --train, train a bundle for your own data: see docs/new_bundle.md."""

import monai_bundle_zoo  # noqa: F401  # finds `shared`
from shared.errors import interruptible

if __name__ == "__main__":
    with interruptible():  # also while what follows is imported
        from shared.planning.command import main

        main()
