"""The name service of a host: one process that answers on 127.0.0.11:53 inside every sandbox it is shown."""
