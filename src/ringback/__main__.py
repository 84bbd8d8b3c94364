"""`python -m ringback`."""

from __future__ import annotations

from ringback.entry import main

if __name__ == "__main__":
    main()
