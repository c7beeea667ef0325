"""The evaluation suite: gold questions, what is made of the answers to them, and reports."""
