"""The consumers of both variants."""

import json
from collections import defaultdict

from channels.generic.websocket import AsyncWebsocketConsumer

EVERYONE = "everyone"


def group_of(name):
    return f"user_{name}"


class LayerConsumer(AsyncWebsocketConsumer):
    """Joins one group, and sends to groups through the channel layer."""

    async def connect(self):
        self.group = self.own_group()
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()

    async def disconnect(self, code):
        await self.channel_layer.group_discard(self.group, self.channel_name)

    async def receive(self, text_data=None, bytes_data=None):
        await self.channel_layer.group_send(self.receivers(text_data), {"type": "chat.message", "text": text_data})

    async def chat_message(self, event):
        await self.send(text_data=event["text"])


class LayerEveryone(LayerConsumer):
    def own_group(self):
        return EVERYONE

    def receivers(self, text):
        return EVERYONE


class LayerUser(LayerConsumer):
    def own_group(self):
        return group_of(self.scope["url_route"]["kwargs"]["username"])

    def receivers(self, text):
        return group_of(json.loads(text)["to_user"])


sockets = defaultdict(set)


class DictConsumer(AsyncWebsocketConsumer):
    """Is kept in a dictionary, and sends to other consumers directly."""

    async def connect(self):
        self.group = self.own_group()
        sockets[self.group].add(self)
        await self.accept()

    async def disconnect(self, code):
        sockets[self.group].discard(self)

    async def receive(self, text_data=None, bytes_data=None):
        for consumer in list(sockets[self.receivers(text_data)]):
            await consumer.send(text_data=text_data)


class DictEveryone(DictConsumer):
    own_group = LayerEveryone.own_group
    receivers = LayerEveryone.receivers


class DictUser(DictConsumer):
    own_group = LayerUser.own_group
    receivers = LayerUser.receivers
