"""The documentation: generated pages are current, its commands work, the site loads nothing from elsewhere."""
