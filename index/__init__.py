"""Documents into Chroma, and back out as passages."""
