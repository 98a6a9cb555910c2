"""What runs in the sandbox's own processes: the standard library alone, imports that are relative.

These modules are started without site-packages, and without importing `nybble`, which takes longer
than most programs run.
"""
