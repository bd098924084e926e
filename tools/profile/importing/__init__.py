"""Drafts of profiles made from what others wrote; one file per source."""
