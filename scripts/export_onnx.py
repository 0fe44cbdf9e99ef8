"""In a checkout, what the command monai-bundle-export does."""

from monai_bundle_zoo import export

if __name__ == "__main__":
    export()
