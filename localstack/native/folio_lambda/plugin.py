"""What LocalStack finds under `LAMBDA_RUNTIME_EXECUTOR=folio`."""

from __future__ import annotations

from typing import Any

from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin


class FolioExecutorPlugin(RuntimeExecutorPlugin):  # type: ignore[misc]  # not installed here
    """Names the executor; loads it when LocalStack starts its first function."""

    name = "folio"

    def load(self, *_args: Any, **_options: Any) -> Any:
        """The class of the executor."""
        # LocalStack lists its plugins at every start: what only Lambda needs is imported by Lambda.
        from folio_lambda.executor import FolioExecutor  # noqa: PLC0415
        from folio_lambda.repairs import mend  # noqa: PLC0415

        mend()
        return FolioExecutor
