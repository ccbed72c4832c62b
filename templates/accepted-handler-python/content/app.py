"""Exports the function as `accepted:handler/work`."""

import json
import traceback

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports.types import Failure, Outcome_Json, Retry_After, Retry_BackedOff, Retry_Never

from handler import work
from retry import Retry


class Work(exports.Work):
    async def run(self, task):
        try:
            return Outcome_Json(json.dumps(work(json.loads(task.input or "null"))))
        except Retry as error:
            retry = Retry_BackedOff() if error.seconds is None else Retry_After(error.seconds)
            raise Err(Failure("try-again", str(error), retry))
        except ValueError as error:
            raise Err(Failure("invalid-input", str(error), Retry_Never()))
        except Exception as error:
            # Uncaught, it would end the other tasks of this instance too, and its text would be lost.
            traceback.print_exc()
            raise Err(Failure("exception", f"{type(error).__name__}: {error}", Retry_BackedOff()))
