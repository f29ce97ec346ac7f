"""`python callers.py PORT COUNT`: takes so many TCP connections, and prints from what address each comes."""

import socket
import sys


def main(port: int, count: int) -> None:
    with socket.create_server(("", port)) as door:
        for _ in range(count):
            connection, (address, _) = door.accept()
            connection.close()
            print(address, flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
