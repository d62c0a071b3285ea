"""Stage 1: predicted lifetime value, with the proof of how far to believe it."""
