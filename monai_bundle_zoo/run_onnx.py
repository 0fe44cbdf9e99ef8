"""`python -m monai_bundle_zoo.run_onnx BUNDLE IMAGE`: a first result without torch, see `shared.run_onnx`."""

from shared.errors import interruptible

if __name__ == "__main__":
    with interruptible():  # also while what follows is imported
        from shared.run_onnx import main

        main()
