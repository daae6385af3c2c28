"""What becomes of uploads that stopped, and of what crashes left of them."""
