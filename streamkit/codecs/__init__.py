"""Bytes to records and back: pure, synchronous stages. Nothing here imports trio, a socket, a clock or randomness."""
