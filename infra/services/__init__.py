"""The embedded servers: one module each, which writes its configuration and says how it is started.

Does not belong here: fetching parts, supervising processes, or probing whether a server is ready.
"""
