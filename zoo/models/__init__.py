"""The networks: one file a paper, each with TABLES, body() and head(); builder.py puts them together."""
