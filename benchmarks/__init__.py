"""What each operation costs, beside the bare boto3 call that does the least possible work."""
