"""Measure the streaming latency of LLM endpoints and of proxies, with an error that is measured and printed."""
