"""Runs LocalStack, the release of docker-compose.yml, without Docker: on 64-bit Intel Linux, from Folio's .venv.

    with LocalStack(port=0) as stack:
        boto3.client("s3", endpoint_url=stack.endpoint_url, ...)

`python -m folio_localstack` does the same until Ctrl-C.
"""

from folio_localstack.run import LocalStack
from folio_localstack.venvs import VERSION

__all__ = ["VERSION", "LocalStack"]
