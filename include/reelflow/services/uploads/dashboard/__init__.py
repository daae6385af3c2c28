"""Videos that users upload to see what content analysis says of them."""
