# Runs in every interactive Python: history and tab completion.
try:
    import atexit
    import os
    import readline
    import rlcompleter  # noqa: F401

    history = os.path.expanduser("~/.python_history")
    readline.parse_and_bind("tab: complete")
    if os.path.exists(history):
        readline.read_history_file(history)
    atexit.register(readline.write_history_file, history)
    del atexit, os, readline, rlcompleter, history
except Exception:
    pass
