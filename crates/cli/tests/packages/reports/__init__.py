"""A package of the workspace whose templates are package data."""
