"""The view of a run that all reports share: its facts, its numbers, and text made harmless."""
