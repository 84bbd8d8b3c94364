"""One process of a load run: users, calls and their polls, and the result listener."""
