"""Ask a document questions."""
