"""A mock LLM server whose every byte and microsecond is chosen, from one seed."""
