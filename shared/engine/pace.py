"""When a training will end, by how long its epochs have taken."""

import time

from shared.engine.expectation import clock, spoken_time


class Pace:
    """Made when a training starts. The first epoch, which also prepares what later ones find ready, soon drops out."""

    def __init__(self) -> None:
        self.ends = [time.perf_counter()]

    def after_epoch(self, left: int) -> str:
        """When the training ends, if each of the `left` epochs takes the mean of those before; "" after the last one.

        Validations are part of an epoch here. Call it after each epoch.
        """
        self.ends.append(time.perf_counter())
        if left <= 0:
            return ""
        watched = self.ends[1:] if len(self.ends) > 2 else self.ends
        seconds = left * (watched[-1] - watched[0]) / (len(watched) - 1)
        return f"ends at {clock(seconds)} (in {spoken_time(seconds)})"
