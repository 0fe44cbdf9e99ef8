"""Peers that are no networks. They take one image at a time."""

import numpy as np

from shared.benchmarks.methods import Runs, Subject


def demons(subject: Subject) -> Runs:
    """SimpleITK's diffeomorphic demons, 100 iterations."""
    import SimpleITK as sitk  # each import here is one method's start-up alone

    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(subject.threads)
    moving, fixed = (sitk.GetImageFromArray(image) for image in subject.image[0])
    method = sitk.DiffeomorphicDemonsRegistrationFilter()
    method.SetNumberOfIterations(100)
    return Runs(lambda: method.Execute(fixed, moving))


def watershed(subject: Subject) -> Runs:
    """Otsu's threshold, and a watershed of the distances from the background."""
    from scipy import ndimage
    from skimage import feature, filters, measure, segmentation

    def run() -> object:
        gray = subject.image[0].mean(axis=0)
        inside = gray > filters.threshold_otsu(gray)
        distance = ndimage.distance_transform_edt(inside)
        peaks = feature.peak_local_max(distance, min_distance=5, labels=measure.label(inside))
        markers = np.zeros(gray.shape, dtype=int)
        markers[tuple(peaks.T)] = range(1, len(peaks) + 1)
        return segmentation.watershed(-distance, markers, mask=inside)

    return Runs(run)
