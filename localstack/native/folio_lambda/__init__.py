"""Runs LocalStack's Lambda functions as local processes, where there is no Docker engine.

Installed into LocalStack's own environment. Only `plugin`, `executor` and `cloudwatch` import
LocalStack; `bootstrap` is run by the function's Python.
"""
