"""What stands behind each word of the command line, one module a noun.

Each module has ``add_to(commands)``, which declares its arguments, and functions that do the work.
Heavy imports stand inside those functions, so that ``mskseg --help`` answers at once.
"""
