"""Development questions, calibration and benchmarks."""
