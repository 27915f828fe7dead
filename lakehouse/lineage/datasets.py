"""The lake's tables and landed files as OpenLineage names and describes data sets.

A table is `s3://<lake bucket>` and its path there, with its name in the catalog beside it; landed files are `s3://<landing bucket>` and the
folder of their source. Source: OpenLineage's naming conventions, https://openlineage.io/docs/spec/naming.

Does not belong here: runs and jobs (lakehouse.lineage.openlineage).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from openlineage.client.event_v2 import InputDataset, OutputDataset
from openlineage.client.facet_v2 import DatasetFacet, InputDatasetFacet, OutputDatasetFacet
from openlineage.client.generated.base_subset_dataset import InputSubsetInputDatasetFacet, LocationSubsetCondition
from openlineage.client.generated.column_lineage_dataset import ColumnLineageDatasetFacet, Fields, InputField, Transformation
from openlineage.client.generated.dataset_version_dataset import DatasetVersionDatasetFacet
from openlineage.client.generated.input_statistics_input_dataset import InputStatisticsInputDatasetFacet
from openlineage.client.generated.schema_dataset import SchemaDatasetFacet, SchemaDatasetFacetFields
from openlineage.client.generated.symlinks_dataset import Identifier, SymlinksDatasetFacet

from lakehouse.lineage.columns import ColumnEdge
from lakehouse.ops.runs import schema_hash
from lakehouse.settings import Settings
from lakehouse.tables import Table


class Name(NamedTuple):
    """A data set's namespace and name."""

    namespace: str
    name: str


class DataSets:
    """Data sets of an instance.

    Args:
        settings: of the instance: buckets, and the metastore.
        tables: all declared tables; a schema is told as it is declared now.
    """

    def __init__(self, settings: Settings, tables: Iterable[Table]) -> None:
        self._lake, self._landing = f"s3://{settings.lake_bucket}", f"s3://{settings.landing_bucket}"
        self._metastore = f"hive://{urlsplit(settings.metastore_uri).netloc}" if settings.metastore_uri else None
        self._tables = {declared.name: declared for declared in tables}

    def output(
        self,
        table: str,
        *,
        version: int | None,
        schema: str | None,
        columns: Iterable[ColumnEdge] = (),
        measured: Mapping[str, OutputDatasetFacet] | None = None,
    ) -> OutputDataset:
        """A table as it was written.

        Args:
            version: its Delta version after that; None where nothing was written.
            schema: hash of its declared columns at the time: where they are others now, the schema is not told.
            columns: what its columns are made from.
        """
        declared = self._tables.get(table)
        facets = self._facets(table, version, with_schema=declared is not None and schema_hash(declared) == schema)
        if lineage := self._column_lineage(columns):
            facets["columnLineage"] = lineage
        return OutputDataset(*self._name(table), facets=facets, outputFacets=dict(measured or {}))

    def inputs(self, read: Mapping[str, int | None], rows: int | None) -> list[InputDataset]:
        """What a step read: tables with their versions; landed files by their source's folder, which says which of them.

        Args:
            rows: how many rows or records it read in all; told where that is of one data set.
        """
        files = [name for name, version in read.items() if version is None]
        folders: dict[str, list[str]] = {}
        for key in files:
            folders.setdefault(key.split("/")[0], []).append(key)
        tables = {name: version for name, version in read.items() if version is not None}
        counted = rows if len(folders) + len(tables) == 1 else None
        return [
            *(self._landed(folder, keys, counted) for folder, keys in folders.items()),
            *(self.table(name, version, _statistics(counted)) for name, version in tables.items()),
        ]

    def table(self, name: str, version: int | None, measured: Mapping[str, InputDatasetFacet]) -> InputDataset:
        """A table as it was read, or looked at."""
        return InputDataset(*self._name(name), facets=self._facets(name, version, with_schema=True), inputFacets=dict(measured))

    def _landed(self, folder: str, keys: Sequence[str], rows: int | None) -> InputDataset:
        subset = InputSubsetInputDatasetFacet(LocationSubsetCondition([f"{self._landing}/{key}" for key in keys]))
        return InputDataset(self._landing, folder, inputFacets={"subset": subset, **_statistics(rows, files=len(keys))})

    def _name(self, table: str) -> Name:
        return Name(self._lake, table.replace(".", "/"))

    def _facets(self, name: str, version: int | None, *, with_schema: bool) -> dict[str, DatasetFacet]:
        facets: dict[str, DatasetFacet] = {}
        if version is not None:
            facets["version"] = DatasetVersionDatasetFacet(str(version))
        if with_schema and (declared := self._tables.get(name)):
            facets["schema"] = _schema(declared)
        if self._metastore:
            facets["symlinks"] = SymlinksDatasetFacet([Identifier(self._metastore, name, "TABLE")])
        return facets

    def _column_lineage(self, edges: Iterable[ColumnEdge]) -> ColumnLineageDatasetFacet | None:
        fields: dict[str, list[InputField]] = {}
        rows: list[InputField] = []
        for edge in sorted(edges, key=str):
            if edge.output_column is None:
                rows.append(self._field(edge, "INDIRECT"))
            else:
                fields.setdefault(edge.output_column, []).append(self._field(edge, "DIRECT"))
        if not fields and not rows:
            return None
        return ColumnLineageDatasetFacet({made: Fields(read) for made, read in fields.items()}, rows)

    def _field(self, edge: ColumnEdge, kind: str) -> InputField:
        return InputField(*self._name(edge.input_name), edge.input_column, [Transformation(kind)])


def _schema(declared: Table) -> SchemaDatasetFacet:
    return SchemaDatasetFacet([SchemaDatasetFacetFields(c.name, c.type, c.comment, number) for number, c in enumerate(declared.columns, 1)])


def _statistics(rows: int | None, files: int | None = None) -> dict[str, InputDatasetFacet]:
    if rows is None and files is None:
        return {}
    return {"inputStatistics": InputStatisticsInputDatasetFacet(rowCount=rows, fileCount=files)}
