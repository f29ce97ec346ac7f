"""What server and host say to each other: pure data, its encoding and its signature.

The server imports nothing else of `workers`; nothing here does I/O.
"""
