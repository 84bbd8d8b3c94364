"""One view of a run that all reports share: its facts, numbers, and text made harmless. Nothing here is drawn."""
