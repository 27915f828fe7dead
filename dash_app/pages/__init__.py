"""The operations pages, a module each: a layout, and the few callbacks that keep it up to date.

Does not belong here: SQL (queries), figures, or pieces that several pages share (components).
"""
