"""The only credentials that the S3 of the tests knows."""

ACCESS_KEY, SECRET_KEY, REGION = "test-key", "test-secret", "us-east-1"
