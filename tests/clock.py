"""Time that tests may pass as they like."""


class Time:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.now = 100.0
        self.naps = []

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.naps.append(seconds)
        self.now += seconds
