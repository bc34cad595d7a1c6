"""The commands, one file each. `main` finds them, `edge` turns what can go wrong into one line and an exit code."""
