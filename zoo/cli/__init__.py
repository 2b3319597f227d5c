"""The command line: argparse lives here and nowhere else; each command parses, calls the library and prints."""
