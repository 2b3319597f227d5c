"""The networks: one file a paper, each with TABLES, body() and head(); assembly.py puts them together."""
