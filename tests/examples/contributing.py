"""contributing.py PROGRAM SOURCE COMPILER LIBRARY: whether the additions of CONTRIBUTING.md work.

Applies every diff of the page to a copy of the source, checks that each new file is listed where it
is built, compiles what is new into a program of its own, and runs a simulation with each name that
this program knows beyond those of PROGRAM.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

RUN = {
    "models": "run --model {} --machine dgx-a100-80g --isl 16 --osl 2",
    "machines": "run --model llama-3-8b --machine {} --tp 2 --isl 16 --osl 2 --dtype int4",
    "routings": "run --model mixtral-8x7b --machine dgx-a100-80g --ep 8 --isl 16 --osl 2 --routing {}",
    "collectives": "run --model llama-3-8b --machine dgx-a100-80g --tp 8 --isl 16 --osl 2 --collectives {}",
}


def apply_diffs(page, tree):
    diffs = re.findall(r"^```diff\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    for diff in diffs:
        subprocess.run(["git", "apply", "-"], input=diff, text=True, cwd=tree, check=True)
    return re.findall(r"^\+\+\+ b/(.*)$", "\n".join(d for d in diffs), re.MULTILINE)


def main():
    program, source, compiler, library = sys.argv[1:]
    source, library = Path(source), Path(library)
    with tempfile.TemporaryDirectory(prefix="decodesim-contributing-") as folder:
        tree = Path(folder) / "source"
        for room in ("sim", "strategies", "topologies", "tests"):
            shutil.copytree(source / room, tree / room)
        written = apply_diffs(source / "CONTRIBUTING.md", tree)
        new = [tree / name for name in written if not (source / name).exists()]
        units = [path for path in new if path.suffix == ".cpp"]
        for unit in units:
            lists = "\n".join(path.read_text() for path in tree.rglob("CMakeLists.txt"))
            assert unit.name in lists, f"{unit.name} is in no CMakeLists.txt"

        own = Path(folder) / "decodesim"
        subprocess.run(
            [compiler, "-std=c++20", "-Wall", "-Wextra", "-Werror", "-Wno-missing-field-initializers",
             f"-I{source}", *map(str, units), str(source / "sim/cli/main.cpp"), str(library),
             f"-Wl,-rpath,{library.parent}", "-o", str(own)],
            check=True,
        )
        environment = {**os.environ, "DECODESIM_DATA": str(tree)}

        def names(command, kind, **options):
            listed = subprocess.run(
                [command, "list", kind], capture_output=True, text=True, check=True, **options)
            return {line.split()[0] for line in listed.stdout.splitlines()}

        for kind, arguments in RUN.items():
            added = names(own, kind, env=environment) - names(program, kind)
            assert len(added) == 1, f"the diffs add {sorted(added)} to the {kind}, one was expected"
            arguments = arguments.format(added.pop()).split()
            ended = subprocess.run([own, *arguments], capture_output=True, text=True, env=environment)
            assert ended.returncode == 0, f"{' '.join(arguments)}: {ended.stderr}"
            assert "TTFT" in ended.stdout, ended.stdout
    return 0


if __name__ == "__main__":
    sys.exit(main())
