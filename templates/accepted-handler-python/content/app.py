"""Exports the function as `accepted:handler/work`."""

import json

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports.types import Failure, Outcome_Json, Retry_Never

from handler import work


class Work(exports.Work):
    async def run(self, task):
        try:
            return Outcome_Json(json.dumps(work(json.loads(task.input or "null"))))
        except ValueError as error:
            raise Err(Failure("invalid-input", str(error), Retry_Never()))
