"""The host's own end of published ports: it holds them, and takes on what the firewall cannot redirect."""
