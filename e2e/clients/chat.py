"""A chat client of a few lines: sends each line of its input, prints each message. It offers compression."""

import asyncio
import sys

import websockets


async def main(url):
    async with websockets.connect(url, compression="deflate") as socket:
        print("open", *(extension.name for extension in extensions(socket)), flush=True)
        receiving = asyncio.create_task(receive(socket))
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            await socket.send(line.rstrip("\n"))
        receiving.cancel()


def extensions(socket):
    return getattr(socket, "protocol", socket).extensions


async def receive(socket):
    async for message in socket:
        print(message, flush=True)


asyncio.run(main(sys.argv[1]))
