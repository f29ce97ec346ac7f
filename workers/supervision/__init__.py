"""Keeps child processes running: started, watched, restarted when they die, ended with everything they started."""
