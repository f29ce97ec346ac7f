"""How the server itself is: alive, ready, and what it counts."""
