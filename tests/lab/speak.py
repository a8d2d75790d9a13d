#!/usr/bin/python3
"""An engine's socket that is none: speak PATH hang|slow|html|close

hang: takes connections and never answers; slow: answers after 3 s; html: a web page; close: closes at once.
"""

import os
import socket
import sys
import threading
import time

path, manner = sys.argv[1:]
if os.path.exists(path):
    os.unlink(path)
server = socket.socket(socket.AF_UNIX)
server.bind(path)
server.listen(64)


def serve(connection: socket.socket) -> None:
    if manner == "hang":
        time.sleep(3600)
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
