#!/usr/bin/python3
"""An engine's socket that is none: speak PATH hang|html|close|slow [SECONDS BEHIND]

hang: takes connections and never answers; html: a web page; close: closes at once; slow: hands everything on to the
engine at the socket BEHIND, so many seconds late.
"""

import os
import socket
import sys
import threading
import time

path, manner, *more = sys.argv[1:]
if os.path.exists(path):
    os.unlink(path)
server = socket.socket(socket.AF_UNIX)
server.bind(path)
server.listen(64)


def copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


def serve(connection: socket.socket) -> None:
    if manner == "hang":
        time.sleep(3600)
    elif manner == "slow":
        time.sleep(float(more[0]))
        behind = socket.socket(socket.AF_UNIX)
        behind.connect(more[1])
        threading.Thread(target=copy, args=(behind, connection), daemon=True).start()
        copy(connection, behind)
        return
    elif manner == "html":
        connection.recv(4096)
        page = b"<html>It works!</html>"
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s" % (len(page), page)
        )
    connection.close()


while True:
    taken, _ = server.accept()
    threading.Thread(target=serve, args=(taken,), daemon=True).start()
