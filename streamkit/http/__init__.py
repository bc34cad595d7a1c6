"""HTTP/1.1 on trio, as close to the wire as it gets: every read stamped, every write chosen."""
