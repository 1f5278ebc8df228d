"""The limit: prepared messages over bare sockets, with no template, state or header to care for.

`python -m tests.benchmarks.dispatch_suite.raw_mail PORT FILE COUNT` connects, says `ready`, waits for a line, sends so
many messages over one connection, each command after the answer to the last, as smtplib and Heed do, and says `done`.
"""

import socket
import sys
import time
from itertools import cycle, islice
from pathlib import Path
from subprocess import Popen

from tests.benchmarks.dispatch_suite import prepared

SENDER = b"shop@example.com"


def messages_per_s(*, port: int, file: Path, count: int, processes: int) -> float:
    """What so many processes bring into the sink together, each its share of `count`."""
    senders = [prepared.start("raw_mail", port, file, count // processes) for _ in range(processes)]
    try:
        for sender in senders:
            _expect(sender, "ready")
        started = time.perf_counter()
        for sender in senders:
            assert sender.stdin is not None
            sender.stdin.write("go\n")
            sender.stdin.flush()
        for sender in senders:
            _expect(sender, "done")
        return count // processes * processes / (time.perf_counter() - started)
    finally:
        for sender in senders:
            sender.kill()
            sender.wait(10)


def _expect(sender: "Popen[str]", word: str) -> None:
    assert sender.stdout is not None
    said = sender.stdout.readline().strip()
    if said != word:
        raise RuntimeError(f"the raw sender said {said!r}, not {word!r}")


def main(port: int, file: Path, count: int) -> None:
    messages = [
        (
            f"RCPT TO:<{one.address}>\r\n".encode(),
            one.content + (b".\r\n" if one.content.endswith(b"\r\n") else b"\r\n.\r\n"),
        )
        for one in prepared.load(file)
    ]
    with socket.create_connection(("127.0.0.1", port)) as server:
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answers = server.makefile("rb")
        _read(answers, b"220")
        _ask(server, answers, b"EHLO benchmark\r\n", b"250")
        print("ready", flush=True)
        sys.stdin.readline()
        for recipient, content in islice(cycle(messages), count):
            _ask(server, answers, b"MAIL FROM:<" + SENDER + b">\r\n", b"250")
            _ask(server, answers, recipient, b"250")
            _ask(server, answers, b"DATA\r\n", b"354")
            _ask(server, answers, content, b"250")
        print("done", flush=True)


def _ask(server: socket.socket, answers: "socket.SocketIO", command: bytes, code: bytes) -> None:
    server.sendall(command)
    _read(answers, code)


def _read(answers: "socket.SocketIO", code: bytes) -> None:
    line = answers.readline()
    while line[3:4] == b"-":
        line = answers.readline()
    if not line.startswith(code):
        raise RuntimeError(f"the sink answered {line!r}")


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
