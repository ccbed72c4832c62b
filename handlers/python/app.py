"""A task handler in Python: statistics of the numbers in `Input`."""

import json
import statistics
import traceback

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports.types import Failure, Outcome_Json, Retry_BackedOff, Retry_Never


class Work(exports.Work):
    async def run(self, task):
        try:
            return Outcome_Json(json.dumps(figures(json.loads(task.input or "null"))))
        except (ValueError, OverflowError) as error:
            # An overflow is one of the numbers' sum: no other attempt changes it.
            raise Err(Failure("invalid-input", str(error), Retry_Never()))
        except Exception as error:
            # Uncaught, it would end the other tasks of this instance too, and its text would be lost.
            traceback.print_exc()
            raise Err(Failure("exception", f"{type(error).__name__}: {error}", Retry_BackedOff()))


def figures(numbers):
    """Count, mean, median and standard deviation. A ValueError fails the task."""
    if not isinstance(numbers, list) or not numbers or not all(isinstance(number, (int, float)) for number in numbers):
        raise ValueError("Input must be a list of numbers")
    return {
        "count": len(numbers),
        "mean": statistics.fmean(numbers),
        "median": statistics.median(numbers),
        "deviation": statistics.pstdev(numbers),
    }
