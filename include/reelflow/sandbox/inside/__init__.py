"""The child's half of the sandbox: limits, the seal, and its parent as the only way out."""
