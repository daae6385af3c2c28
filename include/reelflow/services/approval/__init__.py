"""Approval: whom to ask whether a post may go, what to show, and what to do with the answer."""
