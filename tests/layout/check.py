"""check.py RULE ROOT: checks one rule about the source tree; prints each breach and ends with 1.

Rules that nothing else checks: who may include whom (docs/architecture.md), that no file is left out
of the build, that hardware numbers say where they come from, how files are named, that links in
documents lead somewhere.
"""

import json
import re
import sys
from pathlib import Path

# Topmost first: a room may include what is below it, never what is above.
ROOMS = [
    "validation/cuda",
    "sim/cli",
    "validation",
    "traces",
    "sim/result",
    "sim/scenario",
    "sim/engine",
    "strategies",
    "sim/plan",
    "sim/routing",
    "topologies",
    "sim/network",
    "sim/host",
    "sim/device",
    "sim/model",
    "sim",
]

# Libraries that rooms keep to themselves.
KEPT = {
    "simgrid/": ["sim/engine"],
    "xbt/": ["sim/engine"],
    "CLI/": ["sim/cli", "validation/cuda"],
    "nlopt": ["validation"],
    "cuda_": ["validation/cuda"],
    "cublas": ["validation/cuda"],
    "nccl": ["validation/cuda"],
}

GENERATED = {"decodesim_revision.hpp"}

SOURCE_FOLDERS = ["sim", "strategies", "topologies", "traces", "validation", "tests", "benchmarks"]


def files(root, *endings, folders=SOURCE_FOLDERS):
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in endings and "node_modules" not in path.parts:
                yield path, path.relative_to(root).as_posix()


def room_of(name):
    return next((room for room in ROOMS if name.startswith(room + "/")), None)


def includes(path, quotes):
    return re.findall(rf'^#include {quotes[0]}([^{quotes[1]}]+){quotes[1]}', path.read_text(), re.M)


def rooms(root):
    for path, name in files(root, ".hpp", ".cpp", ".cuh", ".cu"):
        here = room_of(name)
        if here is None:
            continue  # tests and benchmarks see everything
        for included in includes(path, '""'):
            if included in GENERATED:
                continue
            there = room_of(included)
            if there is None or not (root / included).is_file():
                yield f"{name} includes \"{included}\": write the path from the root"
            elif ROOMS.index(there) < ROOMS.index(here):
                yield f"{name} includes \"{included}\": {there} is above {here}"


def third_party(root):
    for path, name in files(root, ".hpp", ".cpp", ".cuh", ".cu"):
        here = room_of(name)
        for included in includes(path, "<>"):
            for library, keepers in KEPT.items():
                if here is not None and here not in keepers and included.startswith(library):
                    yield f"{name} includes <{included}>: only {' and '.join(keepers)} know that library"


def sources(root):
    for path, name in files(root, ".cpp", ".cu"):
        folder = path.parent
        while not (folder / "CMakeLists.txt").is_file():
            folder = folder.parent
        list_file = folder / "CMakeLists.txt"
        entry = path.relative_to(folder).as_posix()
        if entry not in re.findall(r"[^\s()\"]+", list_file.read_text()):
            yield f"{list_file.relative_to(root)}: add the line {entry}"


def hardware_numbers(root):
    counts = {"format_version", "physical_links", "switch_ports"}
    needed = ("value", "unit", "kind", "source")
    kinds = {"datasheet", "measured", "published", "assumed", "fitted"}

    def walk(value, pointer):
        if isinstance(value, dict) and "value" in value:
            for key in needed:
                if not value.get(key) and value.get(key) != 0:
                    yield f"{pointer} has no {key}"
            if value.get("kind") not in kinds:
                yield f"{pointer}/kind is {value.get('kind')!r}"
        elif isinstance(value, dict):
            for key, inner in value.items():
                if key not in counts:
                    yield from walk(inner, f"{pointer}/{key}")
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                yield from walk(inner, f"{pointer}/{index}")
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            yield f"{pointer} is a bare number"

    found = list(files(root, ".json", folders=["topologies", "sim/device", "sim/host/frameworks"]))
    if not found:
        yield "no machine, network, GPU and framework files found"
    for path, name in found:
        for problem in walk(json.loads(path.read_text()), ""):
            yield f"{name}: {problem}"


def names(root):
    vague = re.compile(r"(^|_)(util|utils|common|helper|helpers|misc|stuff)(_|\.|$)")
    for _, name in files(root, ".hpp", ".cpp", ".cuh", ".cu", ".py", ".cmake", ".json", ".md"):
        if any(vague.search(part) for part in name.split("/")):
            yield f"{name}: name the idea instead"


def links(root):
    documents = [*root.glob("*.md"), *(root / "docs").rglob("*.md"), *(root / "strategies").glob("*.md")]
    for path in sorted(documents):
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text()):
            if "://" not in target and not (path.parent / target).exists():
                yield f"{path.relative_to(root)}: {target} does not exist"


def main():
    rule, root = sys.argv[1], Path(sys.argv[2]).resolve()
    breaches = list(globals()[rule](root))
    for breach in breaches:
        print(breach)
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
