"""For operators: probes, metrics and documents."""
