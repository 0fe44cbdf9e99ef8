"""In a checkout, what the command monai-bundle-zoo does."""

from monai_bundle_zoo import zoo

if __name__ == "__main__":
    zoo()
