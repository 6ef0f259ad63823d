"""One user's client: weechat with weechat-matrix as Debian ships them, in a terminal of tmux, whose screen is read.

It takes commands as nio_driver.py does: "login" starts weechat and connects, "type" enters a line, and "screen" answers the lines of the screen once they differ from those
that the caller has. weechat-matrix speaks TLS only, so a relay in this program stands before the server's plain port. The program
judges nothing. It ends when standard input is closed.
"""

import asyncio
import json
import os
import ssl
import subprocess
import sys
import tempfile
from urllib.parse import urlsplit

PORT = 8443  # of the relay
LOOK = 0.1  # s: how often the screen is looked at
PLUGIN = "/usr/share/weechat/python/matrix.py"
CERTIFICATE = "/clients/relay.pem"


def tmux(*arguments):
    return subprocess.run(["tmux", "-L", "client", *arguments], check=True, capture_output=True, text=True).stdout


def screen():
    return [line.rstrip() for line in tmux("capture-pane", "-p", "-t", "client").splitlines()]


async def relay(reader, writer):
    server = urlsplit(os.environ["HOMESERVER"])
    try:
        there, back = await asyncio.open_connection(server.hostname, server.port)
    except OSError:
        writer.close()
        return
    await asyncio.gather(pump(reader, back), pump(there, writer))


async def pump(reader, writer):
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def do_login(user, password):
    home = tempfile.mkdtemp()
    os.makedirs(home + "/python/autoload")
    os.symlink(PLUGIN, home + "/python/autoload/matrix.py")
    commands = [
        "/set weechat.look.paste_max_lines -1",
        "/set weechat.bar.nicklist.size 70",
        "/set matrix.look.server_buffer independent",
        f"/matrix server add hs 127.0.0.1:{PORT}",
        "/set matrix.server.hs.ssl_verify off",
        f"/set matrix.server.hs.username {user}",
        f"/set matrix.server.hs.password {password}",
        "/matrix connect hs",
        "/buffer hs",
    ]
    weechat = ["weechat-curses", "-d", home, "-P", "buflist,python", "-r", ";".join(commands)]
    tmux("new-session", "-d", "-s", "client", "-x", "240", "-y", "70", *weechat)


async def do_type(text):
    tmux("send-keys", "-t", "client", "-l", text)
    tmux("send-keys", "-t", "client", "Enter")


async def do_screen(other_than=None):
    while (lines := screen()) == other_than:
        await asyncio.sleep(LOOK)
    return lines


def write(answer):
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


async def answer(command):
    number, name = command.pop("id"), command.pop("do")
    try:
        write({"id": number, "result": await {"login": do_login, "type": do_type, "screen": do_screen}[name](**command)})
    except subprocess.CalledProcessError as problem:
        write({"id": number, "error": problem.stderr or str(problem)})


async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    context.set_alpn_protocols(["http/1.1"])
    await asyncio.start_server(relay, "127.0.0.1", PORT, ssl=context)
    commands = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    packages = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${Version} ", "weechat-curses", "weechat-matrix"], capture_output=True, text=True)
    write({"software": packages.stdout.strip()})
    running = set()
    async for line in commands:
        task = asyncio.ensure_future(answer(json.loads(line)))
        running.add(task)
        task.add_done_callback(running.discard)
    subprocess.run(["tmux", "-L", "client", "kill-server"], capture_output=True)


asyncio.run(main())
