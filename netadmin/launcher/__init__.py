"""Starts the whole product on one machine, keeps it running, and stops it without leaving a process behind."""
