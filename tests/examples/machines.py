"""machines.py PROGRAM PAGE [--update]: whether docs/machines.md draws every machine as it is.

The page is its head, up to the line before the first machine, and then what
`topology NAME --format markdown` prints for each of `list machines`. --update writes it anew.
"""

import subprocess
import sys
from pathlib import Path


def main():
    program, page = sys.argv[1], Path(sys.argv[2])

    def run(*arguments):
        return subprocess.run([program, *arguments], capture_output=True, text=True, check=True).stdout

    names = [line.split()[0] for line in run("list", "machines").splitlines()]
    sections = [run("topology", name, "--format", "markdown") for name in names]
    shown = page.read_text()
    drawn = shown.split("\n## ", 1)[0] + "\n" + "\n".join(sections)
    if shown == drawn:
        return 0
    if "--update" in sys.argv:
        page.write_text(drawn)
        return 0
    print(f"{page} does not draw the machines as they are.")
    print(f"If that is meant: python3 tests/examples/machines.py {program} {page} --update")
    return 1


if __name__ == "__main__":
    sys.exit(main())
