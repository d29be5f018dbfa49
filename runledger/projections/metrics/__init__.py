"""Curves: which points are effective, their summaries, and series thinned out for drawing."""

from __future__ import annotations

from runledger.projections.metrics.fold import fold
from runledger.projections.metrics.queries import (
    MetricSummary,
    Series,
    SummaryPage,
    has_key,
    series,
    summaries,
    summaries_of,
    summary_page,
)
from runledger.projections.metrics.tables import NAME, TABLES, VERSION
from runledger.projections.projection import Projection

PROJECTION = Projection(
    name=NAME, version=VERSION, kinds=frozenset({"run", "telemetry"}), tables=TABLES, fold=fold
)

__all__ = [
    "PROJECTION",
    "MetricSummary",
    "Series",
    "SummaryPage",
    "has_key",
    "series",
    "summaries",
    "summaries_of",
    "summary_page",
]
