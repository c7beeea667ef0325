"""What people touch: the command line and the Gradio UI; layout and wiring only."""
