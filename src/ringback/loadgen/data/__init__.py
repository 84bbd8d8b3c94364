"""Project variables for the calls of a load run, from a file: reading it, and which call gets which row."""
