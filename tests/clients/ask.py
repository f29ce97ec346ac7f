"""`python ask.py METHOD PATH [BODY]`: one request to the engine at DOCKER_HOST; prints the body and the status."""

import http.client
import os
import socket
import sys


class Connection(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(os.environ["DOCKER_HOST"].removeprefix("unix://"))


def main(method: str, path: str, body: str | None = None) -> None:
    connection = Connection("docker")
    headers = {"Content-Type": "application/json"} if body is not None else {}
    connection.request(method, "/v1.51" + path, body, headers)
    answer = connection.getresponse()
    text = answer.read().decode().rstrip("\n")
    print(text + "\n" if text else "", f"HTTP {answer.status}", sep="")


if __name__ == "__main__":
    main(*sys.argv[1:])
