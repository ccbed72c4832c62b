"""Submits a task, waits for its end and reads its result, with nothing but what is generated for Python. Prints what it
found."""

import json
import sys
from uuid import UUID

base_url, generated = sys.argv[1:]
sys.path.insert(0, generated)

from accepted_client import Client
from accepted_client.api.schedules import delete_schedule, put_schedule
from accepted_client.api.tasks import get_result, get_task, submit_task, submit_tasks
from accepted_client.models import MonitorState, Problem, ScheduleRequest, TaskBatch, TaskRequest


def found(response):
    if response is None or isinstance(response, Problem):
        raise SystemExit(f"not expected: {response}")
    return response


client = Client(base_url=base_url, timeout=30)
task = found(
    submit_task.sync(
        client=client,
        body=TaskRequest(task_name="text-statistics", input_="to be or not to be", max_attempts=2),
    )
)
while task.status in (MonitorState.NOTSTARTED, MonitorState.RUNNING):
    task = found(get_task.sync(task.id, client=client, prefer="wait=10"))
result = found(get_result.sync(task.id, client=client))

tasks = [TaskRequest(task_name="checksum", input_="x"), TaskRequest(task_name="")]
batch = found(submit_tasks.sync(client=client, body=TaskBatch(tasks=tasks)))
body = ScheduleRequest(interval="PT1H", task=TaskRequest(task_name="checksum", input_="x"))
stored = found(put_schedule.sync("from-python", client=client, body=body, if_none_match="*"))
due = [moment.isoformat() for moment in stored.next_firings]
delete_schedule.sync("from-python", client=client)
unknown = get_task.sync(UUID("0a8f5d7e-3c1b-4b8e-9f6a-2d4c6e8f0a1b"), client=client)

print(
    json.dumps(
        {
            "status": str(task.status),
            "words": json.loads(result.payload.read())["words"],
            "batch": [outcome.status for outcome in batch.value],
            "schedule": str(stored.status) if due else "never due",
            "problem": unknown.type_,
        }
    )
)
