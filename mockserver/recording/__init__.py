"""Record a real server read by read, and play it again."""
