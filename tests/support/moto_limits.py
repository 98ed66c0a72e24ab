"""What moto cannot honour: test → reason. All else runs on moto as on DynamoDB Local."""

from __future__ import annotations

CANNOT: dict[str, str] = {}
