"""How settings are written, on the command line, in files, in headers and over HTTP: one grammar for all of them."""
