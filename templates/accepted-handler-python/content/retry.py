"""How a handler asks for another attempt."""

import math

# The longest time that a message can stay hidden.
MAX_SECONDS = 7 * 24 * 60 * 60


class Retry(Exception):
    """Ends the attempt. Another one follows while attempts are left: after the worker's back-off, or after `seconds` if that is later."""

    def __init__(self, message, seconds=None):
        super().__init__(message)
        self.seconds = None if seconds is None else math.ceil(min(max(seconds, 0), MAX_SECONDS))
