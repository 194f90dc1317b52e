"""rewrite_launches.py SOURCE NAME OUTPUT: turns a CUDA source into C++ for device_language.hpp.

Launches `kernel<T><<<grid, block>>>(x)` become calls of cuda_on_cpu::launch, variables in shared memory
static ones (one block runs at a time). NAME is the source's in messages of the compiler.
"""

import re
import sys
from pathlib import Path

SHARED_ARRAY = re.compile(r"extern __shared__ (?:__align__\(\d+\) )?([\w:]+) (\w+)\[\];")
SHARED_VARIABLE = re.compile(r"__shared__ ([\w:]+) (\w+)([^;]*);")
# A kernel's name, its template arguments (of one level) and the parentheses of its launch.
LAUNCH = re.compile(r"(\w+)\s*(<[^<>;]*>)?\s*<<<(.*?)>>>\(", re.S)


def end_of_parentheses(text, at):
    """Place of the ")" that closes what is open at `at`."""
    depth = 1
    while depth > 0:
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        at += 1
    return at - 1


def cpp_of(source):
    source = SHARED_ARRAY.sub(
        r"auto* \2 = static_cast<\1*>(cuda_on_cpu::dynamic_shared_memory());", source)
    source = SHARED_VARIABLE.sub(
        r"static \1 \2\3; cuda_on_cpu::use_shared_variable(&\2, sizeof \2);", source)
    written, at = "", 0
    while launch := LAUNCH.search(source, at):
        name, template, shape = launch.groups()
        kernel = name + (template or "")
        # The address of a kernel whose template arguments are deduced has no name.
        address = f"reinterpret_cast<const void*>(&{kernel})" if template else "nullptr"
        end = end_of_parentheses(source, launch.end())
        arguments = source[launch.end():end]
        written += (f'{source[at:launch.start()]}cuda_on_cpu::launch("{name}", {address}, '
                    f"cuda_on_cpu::LaunchShape({shape}), [](auto... a) {{ {kernel}(a...); }}"
                    f"{',' if arguments.strip() else ''}{arguments})")
        at = end + 1
    return written + source[at:]


def main():
    source, name, output = sys.argv[1:]
    Path(output).write_text(f'#line 1 "{name}"\n{cpp_of(Path(source).read_text())}')


if __name__ == "__main__":
    main()
