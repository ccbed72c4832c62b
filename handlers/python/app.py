"""A task handler in Python: statistics of the numbers in `Input`."""

import json
import statistics

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports.types import Failure, Outcome_Json, Retry_Never


class Work(exports.Work):
    async def run(self, task):
        numbers = json.loads(task.input or "null")
        if not isinstance(numbers, list) or not numbers:
            raise Err(Failure("invalid-input", "Input must be a list of numbers", Retry_Never()))
        return Outcome_Json(json.dumps({
            "count": len(numbers),
            "mean": statistics.fmean(numbers),
            "median": statistics.median(numbers),
            "deviation": statistics.pstdev(numbers),
        }))
