"""Where it runs: the command line, the embedded servers, their configuration and their supervisor.

Does not belong here: what happens to the data, or what a page shows.
"""
