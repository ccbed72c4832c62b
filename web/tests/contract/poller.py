"""Follows a task with azure-core's own poller for long-running operations, as its clients do.

Usage: poller.py URL TASK_NAME. Prints the final status and, as JSON, what the poller made of the end.
"""

import json
import sys

from azure.core import PipelineClient
from azure.core.exceptions import HttpResponseError
from azure.core.polling import LROPoller
from azure.core.polling.base_polling import LROBasePolling
from azure.core.rest import HttpRequest


def main() -> None:
    base_url, name = sys.argv[1:]
    client = PipelineClient(base_url)
    # The first response reaches the poller in the form in which generated clients hand it over.
    request = HttpRequest("POST", f"{base_url}/tasks", json={"TaskName": name})
    initial = client.send_request(request, _return_pipeline_response=True)
    assert initial.http_response.status_code == 202, initial.http_response.status_code

    def deserialize(pipeline_response):
        return json.loads(pipeline_response.http_response.text())

    poller = LROPoller(client, initial, deserialize, LROBasePolling(timeout=0.2))
    try:
        result = poller.result(timeout=60)
        print(json.dumps({"status": poller.status(), "result": result}))
    except HttpResponseError as error:
        print(json.dumps({"status": poller.status(), "error": str(error)}))


main()
