"""A first declaration of a source, guessed from one of its files.

The guesses are tables: names, values and words in `vocabulary`, ways to write a time in `times`, parts of lines in `lines`.

Does not belong here: judging a declaration (lakehouse.sources), or anything that needs Spark.
"""

from lakehouse.scaffold.making import Scaffold, scaffold_of, write_scaffold

__all__ = ["Scaffold", "scaffold_of", "write_scaffold"]
