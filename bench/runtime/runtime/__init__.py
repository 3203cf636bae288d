"""The parts of bench/runtime/measure; see README.md beside it."""
