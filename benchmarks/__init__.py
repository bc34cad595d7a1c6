"""The measurements of streamkit: one file a question, `python -m benchmarks --help` for the commands.

Nothing here is installed with the package. README.md in this folder says how to run it and what the JSON holds.
"""
