"""Talk to LLM endpoints: one request, its answer as neutral events, read by read."""
