"""A host: what the server wants of it becomes kernel state, names and processes."""

__version__ = "0.1.0"
