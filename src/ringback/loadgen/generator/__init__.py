"""One process of a load run: users, calls and their polls, the result listener, and the control of a run."""
