"""Rewrite the tables of README.md and docs/*.md that commands print.

    python docs/tables.py

A table is what lies between `<!-- python ... -->` and `<!-- end -->`: the output of that command.
"""

import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
TABLE = re.compile(r"(<!-- (python [^\n]+) -->\n)(.*?)(?=<!-- end -->)", re.DOTALL)


def run_command(command):
    """Return what a command prints, run in the root of the repository with this interpreter."""
    arguments = [sys.executable, *shlex.split(command)[1:]]
    return subprocess.run(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout


def rewrite_tables(text):
    """Return the text of a page with the present output of each command."""
    return TABLE.sub(lambda match: match[1] + run_command(match[2]), text)


def main():
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        rewritten = rewrite_tables(text)
        if rewritten != text:
            page.write_text(rewritten, encoding="utf-8")
            print(f"rewritten: {page.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
