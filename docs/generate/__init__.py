"""The parts of `docs/` that are generated: `python -m docs.generate` writes them, tests compare them."""
