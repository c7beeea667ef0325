"""Speed and memory, measured as ratios against other ways of doing the same."""
