"""How the processes of one host speak with each other, and what each remembers."""
