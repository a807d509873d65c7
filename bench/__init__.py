"""How fast: reproducible measurements, ratios in one run."""
