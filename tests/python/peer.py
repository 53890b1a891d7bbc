"""Another process, that calls what it is sent and sends back what comes of it.

As a module: `Peer`. As a script: the other process, on the socket whose number it is
given.
"""

import os
import socket
import subprocess
import sys

from keraser.payload import pack, unpack
from keraser.remote_errors import pack_error, unpack_error


class Peer:
    def __init__(self):
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        theirs.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()
        self._process.wait(30)

    def call(self, function, *arguments):
        """What `function(*arguments)` returns there; raises what it raises there."""
        _send(self._socket, b"call", pack((function, arguments)))
        what, descriptor = _receive(self._socket)
        if what == b"error":
            raise unpack_error(descriptor)
        return unpack(descriptor)


def _send(connection, what, descriptor):
    socket.send_fds(connection, [what], [descriptor])
    os.close(descriptor)


def _receive(connection):
    what, descriptors, _, _ = socket.recv_fds(connection, 16, 1)
    return what, descriptors[0] if descriptors else None


def answer(descriptor):
    try:
        function, arguments = unpack(descriptor)
        return b"result", pack(function(*arguments))
    except BaseException as error:
        return b"error", pack_error(error)


def main():
    connection = socket.socket(fileno=int(sys.argv[1]))
    while (request := _receive(connection))[0]:
        _send(connection, *answer(request[1]))


if __name__ == "__main__":
    main()
