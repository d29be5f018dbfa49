"""What handlers are given besides the request: the names under which `api.app` provides it."""

from __future__ import annotations

from typing import TypeAlias

from litestar.di import NamedDependency

from api.backend import Backend, Views
from tracker.envelope import Metadata

GivenBackend: TypeAlias = NamedDependency[Backend]
GivenViews: TypeAlias = NamedDependency[Views]
"""The read models, at least as far as `?after=` asks."""
GivenMetadata: TypeAlias = NamedDependency[Metadata]
"""Who writes."""
