"""readme.py PROGRAM README [--update]: whether README shows what the demo's command prints.

The block after "$ scripts/demo" must be the beginning of the output, number for number. --update
puts the present output there.
"""

import subprocess
import sys
from pathlib import Path

COMMAND = [
    *"compare --model llama-3-70b --machine dgx-a100-80g --gpus 8 --batch-size 32".split(),
    *"--strategies zero3,tp,pp:naive,pp:gpipe,pp:1f1b".split(),
]


def main():
    program, readme = sys.argv[1], Path(sys.argv[2])
    printed = subprocess.run([program, *COMMAND], capture_output=True, text=True, check=True).stdout
    tables = printed.split("\n\nEach micro-batch", 1)[0]
    before, rest = readme.read_text().split("$ scripts/demo\n", 1)
    shown, after = rest.split("\n```", 1)
    if shown == tables:
        return 0
    if "--update" in sys.argv:
        readme.write_text(f"{before}$ scripts/demo\n{tables}\n```{after}")
        return 0
    print(f"README shows\n\n{shown}\n\nbut the program prints\n\n{tables}\n")
    print(f"If that is meant: python3 tests/examples/readme.py {program} {readme} --update")
    return 1


if __name__ == "__main__":
    sys.exit(main())
