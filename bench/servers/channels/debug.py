"""/debug/gc on the same port forces a collection."""

import gc


async def debug(scope, receive, send):
    if scope["path"] == "/debug/gc":
        gc.collect()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": b"{}"})
