"""The models: one module per paper, each with TABLES, backbone() and head(); builder.py assembles them."""
