"""A relay on Django Channels, in two variants: the in-memory channel layer (PARLEY_BENCH_VARIANT=layer) or a dictionary of sockets."""

import os

import django
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}},
    INSTALLED_APPS=["channels"],
    SECRET_KEY="only for a benchmark on loopback",
)
django.setup()

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.urls import path  # noqa: E402

import consumers  # noqa: E402
from debug import debug  # noqa: E402

variant = {
    "layer": (consumers.LayerEveryone, consumers.LayerUser),
    "dict": (consumers.DictEveryone, consumers.DictUser),
}
everyone, user = variant[os.environ["PARLEY_BENCH_VARIANT"]]

application = ProtocolTypeRouter(
    {
        "http": debug,
        "websocket": URLRouter(
            [
                path("ws/", everyone.as_asgi()),
                path("ws/<str:username>/", user.as_asgi()),
            ]
        ),
    }
)
