"""The trio edge: where bytes come from and go to, and what drives a stage between them.

One task a stream. Nothing here yields inside a nursery or a cancel scope, every read is safe to cancel, and leaving
early closes the source. POSIX only: standard input and output are waited for by file descriptor.
"""
