"""The command line, one module a command, and `inputs` and `outputs`, which they share.

Each command's module has ``add_to(commands)``, which declares its arguments, and functions that do
the work. Heavy imports stand inside those functions, so that ``mskseg --help`` answers at once.
"""
