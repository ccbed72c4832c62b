"""What Schemathesis does before each request."""

import schemathesis


@schemathesis.hook
def before_call(context, case, kwargs):
    """Sends header values as UTF-8. A value that is no UTF-8 never reaches the API: the host responds by itself."""
    for name, value in (case.headers or {}).items():
        if isinstance(value, str):
            case.headers[name] = value.encode("utf-8").decode("latin-1")
