"""What tests of several kinds use, and the benchmarks."""
