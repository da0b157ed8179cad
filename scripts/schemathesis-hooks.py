"""What a schema can't say, of requests that are to be taken: see scripts/schemathesis.mjs."""

import itertools

import schemathesis

numbers = itertools.count()


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    # A cursor is good only if a page before has answered with it.
    if case.query:
        case.query.pop("cursor", None)
    # A key that has been used stands for the request that came with it first.
    for name in list(case.headers or {}):
        if name.lower() == "idempotency-key":
            case.headers[name] = f"key-{next(numbers)}"
    # A list of devices has a header line, and a device below it.
    if case.media_type == "text/csv":
        case.body = f"deviceName\ncsv-{next(numbers)}\n"
    body = case.body if isinstance(case.body, dict) else {}
    # No device may be listed twice, and a token must expire in the future.
    for place, device in enumerate(body.get("devices") or []):
        device["deviceName"] = f"{place}-{device['deviceName']}"[:64]
    body.pop("expiresAt", None)
    # Some names of tokens are the service's own.
    if case.path == "/v1/tokens" and isinstance(body.get("name"), str):
        body["name"] = f"{next(numbers)}-{body['name']}"[:64]
