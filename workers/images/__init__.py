"""The images of one host: root file systems with what to run in them, in a store of its own."""
