"""The task handler `{{project-name | kebab_case}}`. It must be idempotent: after a crash the task runs again."""


def work(task_input):
    """Computes the result from `Input`. A ValueError fails the task; after any other exception it is tried again."""
    if not isinstance(task_input, dict) or not isinstance(task_input.get("name"), str):
        raise ValueError("Input needs a name")
    return {"greeting": f"Hello, {task_input['name']}"}
